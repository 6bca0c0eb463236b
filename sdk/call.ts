import type { Pending, Reference } from "./graph/reference.ts";
import type { TaskError } from "./protocol/task.ts";
import type { RetryOptions } from "./retry.ts";
import type { Duration } from "./values/duration.ts";

declare const output: unique symbol;

/** A call as data: all that a client needs for a task of a definition known by name only. */
export interface CallData<Output = unknown> {
  readonly definition: string;
  readonly version?: string;
  readonly input?: unknown;
  readonly labels?: Readonly<Record<string, string>>;
  /** Only a type: what `run` resolves to. */
  readonly [output]?: Output;
}

/**
 * A definition applied to an input: a frozen value. Nothing runs until a client gets it. In the
 * input of another call it stands for its task's output; the same call in two places is one task.
 * The methods that say more about a call give a new one, and so another task.
 */
export interface Call<Output = unknown> extends CallData<Output>, Reference<Output> {
  /** The output to come, to give parts of it to other calls. */
  readonly output: Pending<Output>;
  /** The output to come, reshaped: `call.output.map()`. */
  map<Result>(reshape: (output: Output) => Result): Pending<Result>;
  /** Starts only when these have ended well, although nothing of them is wanted. */
  after(...calls: readonly AnyCall[]): Call<Output>;
  /** Is skipped, and with it all that depend on it, unless the value is truthy, or is `equals`. */
  when<Value>(value: Reference<Value>, is?: { readonly equals: NoInfer<Value> }): Call<Output>;
  /** When it fails, what depends on it fails, too; or continues with `{ error }`; or with null. */
  onFailure(policy: "fail"): Call<Output>;
  onFailure(policy: "continue"): Call<Output | { readonly error: TaskError }>;
  onFailure(policy: "allow"): Call<Output | null>;
  /** Options of this task, in place of its definition's own. */
  with(options: CallOptions): Call<Output>;
}

/** A call whatever its output. */
export type AnyCall = CallData & Reference<unknown>;

export interface CallOptions {
  /** What the task is called in its graph; its definition's name, numbered, unless given. */
  readonly name?: string;
  /** Smaller is first; 10 unless given. */
  readonly priority?: number;
  /** Not before this instant; a number is epoch milliseconds. */
  readonly startAt?: number | Date;
  /** From the first assignment to the end, all attempts and backoffs included. */
  readonly timeout?: Duration;
  readonly attemptTimeout?: Duration;
  /** In place of the definition's own policy. */
  readonly retry?: RetryOptions;
  /** Joined with those of the definition. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, unknown>>;
}
