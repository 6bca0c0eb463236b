import type { Preprocessor, Reshaped } from "./types.ts";

/** What a thread is started with. */
export interface ThreadData {
  readonly module: WebAssembly.Module;
  /** Told by the thread, read by the one that watches it: see Progress. */
  readonly progress: SharedArrayBuffer;
  readonly limits: SandboxLimits;
}

export interface SandboxLimits {
  readonly memoryPages: number;
  readonly stackBytes: number;
  readonly outputBytesMax: number;
  /** Calls after which an instance is replaced by one with a fresh memory. */
  readonly usesMax: number;
  /** Namespaces whose instances a thread keeps at hand. */
  readonly instancesKept: number;
  /** Instances after which the thread is replaced. */
  readonly instancesMax: number;
  /** How long a thread goes on with one namespace's calls before it answers. */
  readonly quantumMs: number;
}

/** Calls of one namespace. */
export interface Batch {
  readonly namespace: string;
  readonly preprocessors: readonly Preprocessor[];
  readonly calls: readonly { preprocessor: number; input: string; deadlineMs: number }[];
}

/** Answers to the first calls of a batch; those left are to be sent again. */
export interface BatchAnswer {
  readonly answers: readonly Reshaped[];
  /** The thread has had its time: start another for what comes next. */
  readonly isWorn: boolean;
}
