import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";

const tailLines = 15;

export interface ProcessPlan {
  /** Of a file in this folder, without `-process.ts`. */
  readonly program: "node" | "worker" | "solo";
  readonly name: string;
  readonly settings: object;
  readonly folder: string;
}

/** One life of a process that a test may kill, stop and ask to end. */
export class ChaosProcess {
  readonly name: string;
  readonly spawnedAt = Date.now();
  readonly ended: Promise<void>;
  readonly #logFile: string;
  readonly #child: ChildProcess;
  readonly #messages: unknown[] = [];
  #notice = Promise.withResolvers<void>();
  #isMeantToEnd = false;

  constructor({ program, name, settings, folder }: ProcessPlan) {
    this.name = name;
    this.#logFile = join(folder, `${name}.log`);
    const log = openSync(this.#logFile, "a");
    const file = join(import.meta.dirname, `${program}-process.ts`);
    this.#child = spawn(process.execPath, [file, JSON.stringify(settings)], {
      cwd: folder,
      stdio: ["ignore", log, log, "ipc"],
    });
    closeSync(log);
    this.#child.on("message", (message) => {
      this.#messages.push(message);
      this.#wake();
    });
    this.ended = once(this.#child, "exit").then(() => this.#wake());
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Ended without having been told to. */
  get hasCrashed(): boolean {
    return this.hasEnded && !this.#isMeantToEnd;
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** The next message; rejects with the log when the process ends without one. */
  async message<Message>(): Promise<Message> {
    while (this.#messages.length === 0) {
      if (this.hasEnded) throw new Error(`${this.name} ended before it spoke:\n${this.tail()}`);
      await this.#notice.promise;
    }
    return this.#messages.shift() as Message;
  }

  signal(signal: NodeJS.Signals): void {
    if (!["SIGSTOP", "SIGCONT"].includes(signal)) this.#isMeantToEnd = true;
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }

  log(): string {
    return readFileSync(this.#logFile, "utf8");
  }

  /** The last lines that processes of this name wrote. */
  tail(): string {
    return this.log().trimEnd().split("\n").slice(-tailLines).join("\n");
  }

  #wake(): void {
    this.#notice.resolve();
    this.#notice = Promise.withResolvers();
  }
}
