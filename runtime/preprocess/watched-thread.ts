import { Worker } from "node:worker_threads";
import type { Batch, BatchAnswer, SandboxLimits, ThreadData } from "./messages.ts";
import { Progress } from "./progress.ts";

/** How a batch ended: with answers, or with a thread that is no more and the call it was at. */
export type BatchEnd =
  | BatchAnswer
  | {
      readonly died: "overtime" | "crashed";
      readonly call: number | null;
      readonly reason: string;
    };

/** The thread's file is TypeScript where this one is, and JavaScript after a build. */
const threadFile = new URL(
  `./thread${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`,
  import.meta.url,
);
/** quickjs's JSON.parse recurses on the thread's own stack: 4 MB held where 1 MB overflowed. */
const resourceLimits = {
  stackSizeMb: 4,
  maxOldGenerationSizeMb: 128,
  maxYoungGenerationSizeMb: 16,
};

/** One thread and the watch over it. It takes one batch at a time. */
export class WatchedThread {
  readonly #worker: Worker;
  readonly #progress: Progress;
  readonly #graceMs: number;
  #busy: { batch: Batch; end: (end: BatchEnd) => void } | null = null;
  #alarm: NodeJS.Timeout | undefined;
  /** The namespace whose calls ran here last. */
  namespace: string | null = null;

  constructor(
    module: WebAssembly.Module,
    { limits, graceMs }: { limits: SandboxLimits; graceMs: number },
  ) {
    const progress = new SharedArrayBuffer(Progress.bytes);
    this.#progress = new Progress(progress);
    this.#graceMs = graceMs;
    const workerData: ThreadData = { module, limits, progress };
    // Nothing of the process's environment, nor its loaders, belongs in there.
    const isolation = { env: {}, execArgv: [], stdin: false, stdout: true, stderr: true };
    this.#worker = new Worker(threadFile, { workerData, resourceLimits, ...isolation });
    this.#worker.unref();
    let reason = "the thread ended";
    this.#worker.on("message", (answer: BatchAnswer) => this.#finish(answer));
    this.#worker.on("error", (error) => {
      reason = String(error);
    });
    this.#worker.on("exit", () => this.#die("crashed", reason));
  }

  get isIdle(): boolean {
    return this.#busy === null;
  }

  run(batch: Batch): Promise<BatchEnd> {
    this.namespace = batch.namespace;
    this.#worker.ref();
    return new Promise((end) => {
      this.#busy = { batch, end };
      this.#worker.postMessage(batch);
      this.#watch(batch.calls[0]?.deadlineMs ?? 0);
    });
  }

  async end(): Promise<void> {
    this.#die("crashed", "the sandbox was closed");
    await this.#worker.terminate();
  }

  #watch(delayMs: number): void {
    // Timers round down and count from the loop's last tick: one at the very edge would miss it.
    this.#alarm = setTimeout(() => this.#check(), Math.ceil(delayMs) + 1);
    this.#alarm.unref();
  }

  #check(): void {
    const at = this.#progress.read();
    const calls = this.#busy?.batch.calls ?? [];
    const allowedMs = (calls[at?.call ?? 0]?.deadlineMs ?? 0) + this.#graceMs;
    const leftMs = allowedMs - (at?.elapsedMs ?? 0);
    if (leftMs > 0) return this.#watch(leftMs);
    this.#die("overtime", `terminated after ${allowedMs} ms`);
    void this.#worker.terminate();
  }

  #die(died: "overtime" | "crashed", reason: string): void {
    this.#finish({ died, call: this.#progress.read()?.call ?? null, reason });
  }

  #finish(end: BatchEnd): void {
    const busy = this.#busy;
    if (busy === null) return;
    this.#busy = null;
    clearTimeout(this.#alarm);
    this.#worker.unref();
    busy.end(end);
  }
}
