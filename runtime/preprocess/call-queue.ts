import type { Batch } from "./messages.ts";
import type { Preprocessor, Reshape, Reshaped } from "./types.ts";

export interface Call {
  readonly work: Reshape;
  readonly deadlineMs: number;
  resolve(reshaped: Reshaped): void;
  reject(error: Error): void;
}

/** Waiting calls by namespace, which take turns. */
export class CallQueue {
  readonly #byNamespace = new Map<string, Call[]>();
  readonly #callsMax: number;

  constructor({ callsMax }: { callsMax: number }) {
    this.#callsMax = callsMax;
  }

  push(call: Call): void {
    const waiting = this.#byNamespace.get(call.work.namespace);
    if (waiting === undefined) this.#byNamespace.set(call.work.namespace, [call]);
    else waiting.push(call);
  }

  /** Back to the front, where they came from. */
  putBack(calls: readonly Call[]): void {
    const namespace = calls[0]?.work.namespace;
    if (namespace === undefined) return;
    this.#byNamespace.set(namespace, [...calls, ...(this.#byNamespace.get(namespace) ?? [])]);
  }

  /** The namespaces that wait, the one whose turn it is first. */
  get waiting(): readonly string[] {
    return [...this.#byNamespace.keys()];
  }

  /** Those whose turn it is; what nobody wants any more makes room for those behind it. */
  take(namespace: string): Call[] {
    const waiting = this.#byNamespace.get(namespace) ?? [];
    const taken: Call[] = [];
    let seen = 0;
    for (const call of waiting) {
      if (taken.length === this.#callsMax) break;
      seen += 1;
      if (call.work.isWanted?.() ?? true) taken.push(call);
      else call.reject(new Error("nobody wants it any more"));
    }
    waiting.splice(0, seen);
    // Set anew, so that it stands behind the others.
    this.#byNamespace.delete(namespace);
    if (waiting.length > 0) this.#byNamespace.set(namespace, waiting);
    return taken;
  }

  takeAll(): Call[] {
    const all = [...this.#byNamespace.values()].flat();
    this.#byNamespace.clear();
    return all;
  }
}

/** The message of some calls of one namespace; each preprocessor travels once. */
export function batchOf(namespace: string, calls: readonly Call[]): Batch {
  const preprocessors: Preprocessor[] = [];
  const places = new Map<string, number>();
  const placed = calls.map(({ work: { preprocessor, input }, deadlineMs }) => {
    let place = places.get(preprocessor.hash);
    if (place === undefined) {
      place = preprocessors.push(preprocessor) - 1;
      places.set(preprocessor.hash, place);
    }
    return { preprocessor: place, input, deadlineMs };
  });
  return { namespace, preprocessors, calls: placed };
}
