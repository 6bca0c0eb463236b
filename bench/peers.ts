import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { withDatabase } from "./database.ts";

/** kantoku and its peers on the same embedded database, one after the other, with ratios. */
const { values: flags } = parseArgs({ options: { json: { type: "boolean", default: false } } });
const peersFolder = join(import.meta.dirname, "peers");

interface Line {
  readonly workload: string;
  readonly system: string;
  readonly value?: number;
  readonly unit?: string;
  readonly error?: string;
}

if (!existsSync(join(peersFolder, "node_modules"))) {
  await run("npm", ["ci", "--prefix", peersFolder], {});
}
await withDatabase(async (url) => {
  const env = { KANTOKU_BENCH_DATABASE_URL: url };
  const own = ["bench/run.ts", "--only", "in-process,graphs", "--json"];
  const kantoku = await run(process.execPath, own, env);
  const peers = await run(process.execPath, [join(peersFolder, "run.ts"), "--json"], env);
  const lines = [...kantoku, ...peers];
  for (const line of lines) print(line, lines);
});

/** `ratio`: how many times kantoku does what the peer does; for times, how many times faster. */
function print(line: Line, all: readonly Line[]): void {
  const own = all.find((it) => it.system === "kantoku" && it.workload === line.workload);
  const ratio = ratioOf(own, line);
  const full = ratio === undefined ? line : { ...line, ratio };
  if (flags.json) return console.log(JSON.stringify(full));
  const value = line.error ?? `${line.value?.toFixed(2)} ${line.unit}`;
  const versus = ratio === undefined ? "" : `kantoku ${ratio.toFixed(2)} x`;
  console.log([line.workload.padEnd(18), line.system.padEnd(16), value, versus].join("  "));
}

function ratioOf(own: Line | undefined, line: Line): number | undefined {
  if (own?.value === undefined || line.value === undefined || own === line) return undefined;
  return line.unit === "ms" ? line.value / own.value : own.value / line.value;
}

/** Runs a program from the project's root; resolves with the JSON lines it printed. */
function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Line[]> {
  const child = spawn(command, args, {
    cwd: join(import.meta.dirname, ".."),
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => {
      if (code !== 0) return reject(new Error(`${command} ${args.join(" ")} ended with ${code}`));
      const lines = output.split("\n").filter((line) => line.startsWith("{"));
      resolve(lines.map((line) => JSON.parse(line) as Line));
    });
  });
}
