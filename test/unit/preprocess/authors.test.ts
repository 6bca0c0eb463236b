import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  compilePreprocessor,
  openSandbox,
  type Sandbox,
} from "../../../runtime/preprocess/index.ts";
import type { Authored } from "./authors/authored.ts";

const authors = join(import.meta.dirname, "authors");
const program = join(authors, "print.ts");
const run = promisify(execFile);
const { resolve } = createRequire(import.meta.url);
const timeout = 60_000;

let folder: string;
let sandbox: Sandbox;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kantoku-authors-"));
  sandbox = openSandbox();
});

afterAll(async () => {
  await sandbox.close();
  await rm(folder, { recursive: true, force: true });
});

/** How an author's functions come to run, and a mark that shows in their texts there. */
const ways: readonly [way: string, write: () => Promise<string>, mark: RegExp][] = [
  ["plain Node", () => print([program]), /yield\* text/],
  ["tsx", () => print(["--import", resolve("tsx"), program]), /__name/],
  ["an esbuild bundle with names kept", () => bundled({ minify: false }), /__name/],
  [
    "an esbuild bundle with names kept, minified",
    () => bundled({ minify: true }),
    /\w\(\w+=>\w+\.toUpperCase\(\),"shout"\)/,
  ],
  ["vitest with v8's coverage", () => covered("v8"), /yield\* text/],
  ["vitest with istanbul's coverage", () => covered("istanbul"), /cov_\w+\(\)\.s\[\d+\]\+\+/],
];

test.each(ways)("functions keep their meaning under %s", { timeout }, async (_, write, mark) => {
  const all = JSON.parse(await write()) as Authored[];
  expect(all.length).toBeGreaterThan(5);
  expect(all.map(({ source }) => source).join("\n")).toMatch(mark);
  for (const { name, source, input, output } of all) {
    const compiled = compilePreprocessor(source);
    if ("problems" in compiled) throw new Error(JSON.stringify({ name, source, ...compiled }));
    const { preprocessor } = compiled;
    const work = { namespace: "authors", preprocessor, input: JSON.stringify(input) };
    const reshaped = await sandbox.reshape({ ...work, deadlineMs: 10_000 });
    expect({ name, reshaped }).toEqual({ name, reshaped: { output: JSON.stringify(output) } });
  }
});

async function print(argv: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, argv, { env: {} });
  return stdout;
}

async function bundled({ minify }: { minify: boolean }): Promise<string> {
  const outfile = join(folder, `bundle-${minify}.mjs`);
  const options = { bundle: true, keepNames: true, platform: "node", format: "esm" } as const;
  await build({ ...options, entryPoints: [program], outfile, minify });
  return print([outfile]);
}

async function covered(provider: "v8" | "istanbul"): Promise<string> {
  const file = join(folder, `${provider}.json`);
  const vitest = join(dirname(resolve("vitest/package.json")), "vitest.mjs");
  const config = join(folder, "vitest.config.mjs");
  const settings = { cacheDir: join(folder, "cache"), test: { include: ["*.spec.ts"] } };
  await writeFile(config, `export default ${JSON.stringify(settings)};`);
  const coverage = {
    enabled: "true",
    provider,
    include: "authored.ts",
    reporter: "json",
    reportsDirectory: join(folder, provider),
  };
  const flags = Object.entries(coverage).map(([name, value]) => `--coverage.${name}=${value}`);
  // No cache in the project's folder, and nothing of the run that this test is part of.
  const env = { AUTHORED_FILE: file, PATH: process.env["PATH"], TMPDIR: folder };
  await run(process.execPath, [vitest, "run", "--config", config, "--root", authors, ...flags], {
    env,
  });
  return readFile(file, "utf8");
}
