import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const program = `
import { task } from "kantoku";
import { silentLog, start } from "kantoku/runtime";

const measure = task("measure", {}, async ({ name }: { name: string }, ctx) => {
  return { name, length: await ctx.step("length", () => name.length) };
});
const shout = task("shout", {}, async ({ text }: { text: string }) => text.toUpperCase());

const kantoku = await start({ definitions: [measure, shout], log: silentLog });
const measured = measure({ name: "ada" });
const text: string = await kantoku.run(
  shout(measured.map(({ name, length }) => ({ text: name + length }))),
);
console.log(text);
await kantoku.close();
`;

let folder = "";

/** As if it had been installed: the package copied, what it depends on beside it. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kantoku-published-"));
  // Where the database's account may enter, too, its files stay inside, and go with the folder.
  chmodSync(folder, 0o755);
  const installed = join(folder, "node_modules");
  execFileSync(process.execPath, [join(root, "release/build.ts"), join(folder, "dist")]);
  mkdirSync(installed);
  cpSync(join(folder, "dist"), join(installed, "kantoku"), { recursive: true });
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name !== ".bin") symlinkSync(join(root, "node_modules", name), join(installed, name));
  }
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("runs a graph with a step and a preprocessor on the embedded database", () => {
  writeFileSync(join(folder, "app.ts"), program);
  expect(run("app.ts")).toEqual({ status: 0, stdout: "ADA3\n", stderr: "" });
});

test("brings the command line", () => {
  const { status, stdout } = run("node_modules/kantoku/cli/ktk.js", "version");
  expect([status, stdout]).toEqual([0, "kantoku 0.1.0\n"]);
});

test("says in one line which Node it needs, under an older one", () => {
  // Such a one has neither the version nor what came after it.
  const older = `
import nodeModule from "node:module";
delete nodeModule.enableCompileCache;
nodeModule.syncBuiltinESMExports();
Object.defineProperty(process, "versions", { value: { ...process.versions, node: "22.17.1" } });`;
  const preload = `data:text/javascript,${encodeURIComponent(older)}`;
  expect(run("--import", preload, "node_modules/kantoku/cli/ktk.js", "version")).toEqual({
    status: 1,
    stdout: "",
    stderr: "error: kantoku needs Node >=22.18, and this is 22.17.1\n",
  });
});

test("brings types that hold", () => {
  writeFileSync(join(folder, "right.ts"), program);
  writeFileSync(join(folder, "wrong.ts"), program.replace("text: name + length", "test: name"));
  const typescript = join(root, "node_modules/typescript/bin/tsc");
  const flags = "--noEmit --strict --module nodenext --target es2024 --types node".split(" ");
  expect(run(typescript, ...flags, "right.ts")).toMatchObject({ status: 0, stdout: "" });
  const wrong = run(typescript, ...flags, "wrong.ts");
  expect(wrong.status).not.toBe(0);
  expect(wrong.stdout).toContain("Property 'text' is missing");
});

function run(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, words, {
    cwd: folder,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}
