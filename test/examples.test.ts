import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { cleanUp, deleteSeed, makeSeededDataDir } from "./integration/embedded-harness.ts";

const root = resolve(import.meta.dirname, "..");
const examples = join(root, "examples");
const tutorial = readdirSync(examples).filter((name) => /^\d\d-.*\.ts$/.test(name));

let dataDir: string;

beforeEach(async () => {
  dataDir = await makeSeededDataDir();
});
afterEach(cleanUp);
afterAll(deleteSeed);

describe("the tutorial", () => {
  test.each(tutorial)("%s prints what its head says", async (name) => {
    const { outcome, stdout, stderr } = await runExample(name);
    expect({ outcome, stderr, stdout }).toEqual({
      outcome: "exit 0",
      stderr: "",
      stdout: promisedOutput(readFileSync(join(examples, name), "utf8")),
    });
  });
});

test("docs/PIPELINES.md is a program that prints what it says", async () => {
  const blocks = readFileSync(join(root, "docs/PIPELINES.md"), "utf8").matchAll(
    /^```ts\n(.*?)^```$/gms,
  );
  const program = Array.from(blocks, ([, block]) => block).join("\n");
  const { outcome, stdout, stderr } = await runExample(installProgram(program));
  const promised = Array.from(program.matchAll(/\/\/ → (.*)$/gm), ([, line]) => `${line}\n`);
  expect({ outcome, stderr, stdout }).toEqual({
    outcome: "exit 0",
    stderr: "",
    stdout: promised.join(""),
  });
});

describe("the licence audit", () => {
  const installed = packagesAccordingToNpm();

  test("audits every installed package in a task of its own", async () => {
    const { outcome, stdout, stderr } = await runExample("licence-audit/main.ts");
    expect({ outcome, stderr }, stdout).toEqual({ outcome: "exit 0", stderr: "" });
    expect(installed).toBeGreaterThan(100);
    expect(stdout).toContain(`\n${installed} packages to audit, one task each;`);
    expect(stdout).toContain(`\n${installed} of ${installed} packages, `);
    expectReport(stdout);
  });

  test("loses nothing when a worker is killed", async () => {
    const { outcome, stdout } = await runExample("licence-audit/main.ts", (line) => {
      const [, pid] = /the workers are processes (\d+) and/.exec(line) ?? [];
      if (pid !== undefined) process.kill(Number(pid), "SIGKILL");
    });
    expect(outcome, stdout).toBe("exit 0");
    expect(stdout).toContain("died of SIGKILL; another takes its place");
    expectReport(stdout);
  });

  test("goes on where it was cut off", { timeout: 60_000 }, async () => {
    const cutOff = await runExample("licence-audit/main.ts", (line, group) => {
      if (/^\d+ of \d+ packages/.test(line)) process.kill(group, "SIGKILL");
    });
    expect(cutOff.outcome, cutOff.stdout).toBe("SIGKILL");
    const { outcome, stdout, stderr } = await runExample("licence-audit/main.ts");
    expect({ outcome, stderr }, stdout).toEqual({ outcome: "exit 0", stderr: "" });
    expect(stdout).toContain("an audit was cut off in the middle: going on with it");
    expect(stdout).toMatch(/, others \d+\)$/m);
    expectReport(stdout);
  });

  test("stops with all its processes at Ctrl-C", async () => {
    const { outcome, stdout, stderr } = await runExample("licence-audit/main.ts", (line, group) => {
      if (line.includes("packages to audit")) process.kill(-group, "SIGINT");
    });
    expect({ outcome, stderr }, stdout).toEqual({ outcome: "exit 130", stderr: "stopping …\n" });
  });

  test("has workers that end when what started them is gone", async () => {
    const worker = fork(join(examples, "licence-audit/worker.ts"), ["ws://127.0.0.1:9", "orphan"]);
    worker.disconnect();
    expect(await once(worker, "exit")).toEqual([0, null]);
  });

  function expectReport(stdout: string): void {
    const report = stdout.slice(stdout.indexOf("\n\n"));
    expect(report).toMatch(new RegExp(`^${installed} packages, [\\d,]+ files, [\\d.]+ MB$`, "m"));
    const counts = report.matchAll(/ (?:permissive|copyleft|unknown) +(\d+) {3}/g);
    const counted = Array.from(counts, ([, packages]) => Number(packages));
    expect(counted.reduce((sum, packages) => sum + packages, 0)).toBe(installed);
    expect(report).toMatch(/^ {2}audit +[\d.]+ m?s +\d+ tasks\/s, p50 of a task \d+ ms$/m);
  }
});

interface Run {
  readonly outcome: string;
  readonly stdout: string;
  readonly stderr: string;
}

/** An example in a process group of its own; fails if a process of that group outlives it. */
async function runExample(
  name: string,
  onLine: (line: string, group: number) => void = () => {},
): Promise<Run> {
  const child = spawn(process.execPath, [resolve(examples, name)], {
    cwd: dirname(dataDir),
    detached: true,
    env: { PATH: process.env["PATH"], KANTOKU_DATA_DIR: dataDir },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const group = child.pid ?? 0;
  onTestFinished(() => endGroup(group));
  let stdout = "";
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    stdout += `${line}\n`;
    onLine(line, group);
  });
  const [code, signal] = await once(child, "close");
  // Orphans of a killed example end on their own, and then wait for init to reap them.
  if (signal !== null) await expect.poll(() => isAnyoneIn(group), { timeout: 10_000 }).toBe(false);
  expect(isAnyoneIn(group), "a process outlived its example").toBe(false);
  return { outcome: signal ?? `exit ${code}`, stdout, stderr };
}

/** A program outside of the project, which finds the project and zod as installed packages. */
function installProgram(program: string): string {
  const folder = dirname(dataDir);
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules/kantoku"));
  symlinkSync(join(root, "node_modules/zod"), join(folder, "node_modules/zod"));
  const file = join(folder, "program.mts");
  writeFileSync(file, program);
  return file;
}

function endGroup(group: number): void {
  if (isAnyoneIn(group)) process.kill(-group, "SIGKILL");
}

function isAnyoneIn(group: number): boolean {
  try {
    return process.kill(-group, 0);
  } catch {
    return false;
  }
}

/** The comment lines between "Prints:" and the first line that is no comment. */
function promisedOutput(source: string): string {
  const [, lines = ""] = /Prints:\n\/\/\n((?:\/\/.*\n)+)/.exec(source) ?? [];
  return lines.replaceAll(/^\/\/ {3}/gm, "");
}

/** npm's own record of what it installed, and what an install script put beside it unrecorded. */
function packagesAccordingToNpm(): number {
  const record = readFileSync(join(root, "node_modules/.package-lock.json"), "utf8");
  const recorded = Object.keys((JSON.parse(record) as { packages: object }).packages);
  const own = "node_modules/node/node_modules";
  const beside = existsSync(join(root, own)) ? readdirSync(join(root, own)) : [];
  return new Set([...recorded, ...beside.filter(isVisible).map((name) => `${own}/${name}`)]).size;
}

function isVisible(name: string): boolean {
  return !name.startsWith(".");
}
