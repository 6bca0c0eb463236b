import { limits } from "../../sdk/protocol/limits.ts";
import { batchOf, type Call, CallQueue } from "./call-queue.ts";
import { crashFault, inputFault, timeoutFault } from "./faults.ts";
import type { SandboxLimits } from "./messages.ts";
import type { Reshape, Reshaped, Sandbox } from "./types.ts";
import { compileQuickJs } from "./wasm-module.ts";
import { type BatchEnd, WatchedThread } from "./watched-thread.ts";

export interface SandboxOptions {
  readonly threads?: number;
  readonly deadlineMs?: number;
  /** Beyond its deadline a call has so long until its thread is terminated, which takes 5 to 10 ms. */
  readonly graceMs?: number;
  readonly inputBytesMax?: number;
  readonly limits?: Partial<SandboxLimits>;
}

const KiB = 1024;

/** The set of limits that was measured to hold: quickjs's own do not. */
const measuredLimits: SandboxLimits = {
  memoryPages: 512,
  stackBytes: 256 * KiB,
  outputBytesMax: 256 * KiB,
  usesMax: 500,
  instancesKept: 4,
  instancesMax: 200,
  quantumMs: 20,
};
const defaults = {
  threads: 2,
  deadlineMs: 250,
  graceMs: 40,
  inputBytesMax: limits.preprocessorInputBytesMax,
};
const batchCallsMax = 500;
/** Threads in a row that did not come to run a call. */
const failedStartsMax = 3;

/** No thread exists before the first call; an idle one does not keep the process alive. */
export function openSandbox(options: SandboxOptions = {}): Sandbox {
  return new ThreadedSandbox(options);
}

class ThreadedSandbox implements Sandbox {
  readonly #options: Required<SandboxOptions>;
  readonly #limits: SandboxLimits;
  readonly #queue = new CallQueue({ callsMax: batchCallsMax });
  readonly #threads = new Set<WatchedThread>();
  readonly #ending = new Set<Promise<void>>();
  #module: Promise<WebAssembly.Module> | null = null;
  #isGathering = false;
  #isClosed = false;
  #failedStarts = 0;

  constructor(options: SandboxOptions) {
    this.#options = { ...defaults, limits: {}, ...options };
    this.#limits = { ...measuredLimits, ...options.limits };
  }

  reshape(work: Reshape): Promise<Reshaped> {
    if (this.#isClosed) return Promise.reject(closedError());
    const { inputBytesMax, deadlineMs } = this.#options;
    const bytes = Buffer.byteLength(work.input);
    if (bytes > inputBytesMax) return Promise.resolve({ fault: inputFault(bytes, inputBytesMax) });
    return new Promise((resolve, reject) => {
      this.#queue.push({ work, deadlineMs: work.deadlineMs ?? deadlineMs, resolve, reject });
      this.#gather();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const call of this.#queue.takeAll()) call.reject(closedError());
    for (const thread of this.#threads) this.#end(thread);
    await Promise.all(this.#ending);
  }

  /** Calls made in one tick travel as one message. */
  #gather(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    setImmediate(async () => {
      try {
        this.#module ??= compileQuickJs();
        const module = await this.#module;
        this.#dispatch(module);
      } catch (error) {
        this.#module = null;
        for (const call of this.#queue.takeAll())
          call.resolve({ fault: crashFault(String(error)) });
      } finally {
        this.#isGathering = false;
      }
    });
  }

  #dispatch(module: WebAssembly.Module): void {
    for (const namespace of this.#queue.waiting) {
      const thread = this.#freeThread(namespace, module);
      if (thread === null) return;
      const calls = this.#queue.take(namespace);
      if (calls.length > 0) void this.#run(thread, calls);
    }
  }

  #freeThread(namespace: string, module: WebAssembly.Module): WatchedThread | null {
    if (this.#isClosed) return null;
    const idle = [...this.#threads].filter((thread) => thread.isIdle);
    const found = idle.find((thread) => thread.namespace === namespace) ?? idle[0];
    if (found !== undefined) return found;
    if (this.#threads.size >= this.#options.threads) return null;
    const { graceMs } = this.#options;
    const thread = new WatchedThread(module, { limits: this.#limits, graceMs });
    this.#threads.add(thread);
    return thread;
  }

  async #run(thread: WatchedThread, calls: Call[]): Promise<void> {
    const namespace = calls[0]?.work.namespace ?? "";
    const end = await thread.run(batchOf(namespace, calls));
    if ("died" in end || end.isWorn) this.#end(thread);
    const left = "died" in end ? this.#settleDeath(end, calls) : this.#settle(end, calls);
    if (this.#isClosed) {
      for (const call of left) call.reject(closedError());
      return;
    }
    this.#queue.putBack(left);
    if (this.#queue.waiting.length > 0) this.#gather();
  }

  #settle({ answers }: Extract<BatchEnd, { answers: unknown }>, calls: readonly Call[]): Call[] {
    this.#failedStarts = 0;
    for (const [index, answer] of answers.entries()) calls[index]?.resolve(answer);
    return calls.slice(answers.length);
  }

  /** The call at fault ends; its neighbours, before it and behind it, are pure and run again. */
  #settleDeath(death: Extract<BatchEnd, { died: unknown }>, calls: readonly Call[]): Call[] {
    if (this.#isClosed) return [...calls];
    const guilty = death.call === null ? undefined : calls[death.call];
    if (guilty !== undefined) {
      this.#failedStarts = 0;
      const isOvertime = death.died === "overtime";
      guilty.resolve({
        fault: isOvertime ? timeoutFault(guilty.deadlineMs) : crashFault(death.reason),
      });
      return calls.filter((call) => call !== guilty);
    }
    this.#failedStarts += 1;
    if (this.#failedStarts < failedStartsMax) return [...calls];
    for (const call of calls) call.resolve({ fault: crashFault(death.reason) });
    return [];
  }

  #end(thread: WatchedThread): void {
    this.#threads.delete(thread);
    const ending = thread.end();
    this.#ending.add(ending);
    void ending.finally(() => this.#ending.delete(ending));
  }
}

function closedError(): Error {
  return new Error("the sandbox is closed");
}
