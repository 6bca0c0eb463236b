import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from "node:worker_threads";
import { problemAt, SourceError, tooDeepMessage } from "./problems.ts";

export interface StripThreadData {
  readonly port: MessagePort;
  readonly ready: Int32Array;
}

export interface StripQuestion {
  readonly text: string;
  readonly done: Int32Array;
}

export type Stripped =
  | { readonly code: string }
  | { readonly message: string; readonly line: number; readonly column: number }
  | { readonly broke: true };

/** The thread's file is TypeScript where this one is, and JavaScript after a build. */
const threadFile = new URL(
  `./strip-thread${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`,
  import.meta.url,
);
const startMs = 10_000;
/** The largest source takes a fiftieth of it. */
const deadlineMs = 1_000;
const tooLongMessage = "the source takes too long to read as TypeScript; nest it less";

/**
 * Blanks the types of a wrapped source, so that every position stays. The stripper tries some nested
 * arrows both as arrows and as something else, each twice as long as the one within: forty of them
 * would take years. So it has a thread, which is waited for, and ended when it takes too long.
 */
export function stripTypes(text: string): string {
  thread ??= new StripThread();
  const stripped = thread.strip(text);
  if (stripped === null || "broke" in stripped) {
    // A stripper that ran out of stack refuses whatever comes next.
    thread.end();
    thread = null;
    const place = { line: 1, column: 1 };
    throw new SourceError(
      stripped === null
        ? { message: tooLongMessage, ...place, isOvertime: true }
        : { message: tooDeepMessage, ...place },
    );
  }
  if ("code" in stripped) return stripped.code;
  throw new SourceError(problemAt(stripped.message, stripped));
}

/** Started at first need: it takes a tenth of a second. */
let thread: StripThread | null = null;

class StripThread {
  readonly #worker: Worker;
  readonly #port: MessagePort;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    const ready = newSignal();
    const workerData: StripThreadData = { port: port2, ready };
    // Nothing of the process's environment, nor its loaders, belongs in there.
    const isolation = { env: {}, execArgv: [], stdin: false, stdout: true, stderr: true };
    this.#worker = new Worker(threadFile, { workerData, transferList: [port2], ...isolation });
    this.#worker.unref();
    this.#worker.on("error", () => {});
    this.#port = port1;
    this.#port.unref();
    if (Atomics.wait(ready, 0, 0, startMs) === "timed-out") {
      this.end();
      throw new Error("the thread that strips types did not start");
    }
  }

  /** Null when it took too long. */
  strip(text: string): Stripped | null {
    const done = newSignal();
    this.#port.postMessage({ text, done } satisfies StripQuestion);
    if (Atomics.wait(done, 0, 0, deadlineMs) === "timed-out") return null;
    return receiveMessageOnPort(this.#port)?.message as Stripped;
  }

  end(): void {
    this.#port.close();
    void this.#worker.terminate();
  }
}

function newSignal(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4));
}
