import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../cli/ktk.ts", import.meta.url));
const running = new Set<ChildProcess>();
const folders: string[] = [];

export interface ProgramOptions {
  /** Where it runs; a new, empty folder unless given. */
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What it reads on standard input. */
  readonly input?: string;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One process of `ktk`, with none of the caller's own settings. */
export class Program {
  stdout = "";
  stderr = "";
  readonly ended: Promise<Ended>;
  readonly #process: ChildProcess;
  readonly #waiting = new Set<() => void>();

  constructor(
    words: readonly string[],
    { folder = makeEmptyFolder(), env, input }: ProgramOptions,
  ) {
    const child = spawn(process.execPath, [program, ...words], {
      cwd: folder,
      env: { ...withoutSettings(process.env), ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#process = child;
    running.add(child);
    child.stdin.end(input);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      this.#look();
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      this.#look();
    });
    this.ended = once(child, "close").then(([code, signal]) => {
      running.delete(child);
      this.#look();
      return { code, signal, stdout: this.stdout, stderr: this.stderr };
    });
  }

  /** Resolves once what was written so far satisfies; rejects when the program ends before. */
  until(isThere: (written: Program) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const isEnded = !running.has(this.#process);
        if (isThere(this)) resolve();
        else if (isEnded) reject(new Error(`ended too early:\n${this.stdout}\n${this.stderr}`));
        else return;
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }
}

/** Runs `ktk` to its end. */
export function ktk(words: readonly string[], options: ProgramOptions = {}): Promise<Ended> {
  return new Program(words, options).ended;
}

interface Listening {
  readonly event: string;
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  readonly database: string;
  readonly dataDir?: string;
}

/** Starts `ktk dev` on a free port; resolves when it listens. */
export async function startDev(
  words: readonly string[],
  options: ProgramOptions = {},
): Promise<{ readonly dev: Program; readonly listening: Listening }> {
  const dev = new Program(["dev", "--port", "0", "--json", ...words], options);
  await dev.until(({ stdout }) => stdout.includes("\n"));
  return { dev, listening: JSON.parse(dev.stdout) as Listening };
}

/** A folder without a config file; `endPrograms` deletes it. */
export function makeEmptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "kantoku-cli-"));
  folders.push(folder);
  return folder;
}

/** Ends what a failed test left running, and deletes the folders. */
export async function endPrograms(): Promise<void> {
  const left = [...running].map((child) => {
    const closed = once(child, "close");
    child.kill("SIGKILL");
    return closed;
  });
  await Promise.all(left);
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
}

function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("KANTOKU_")));
}
