import type { Call } from "../call.ts";
import { type RetryOptions, toRetryPolicy } from "../definition.ts";
import type { SubmitParams } from "../protocol/service.ts";
import { type Duration, toMs } from "../values/duration.ts";
import { newId } from "../values/id.ts";

export interface SubmitOptions {
  /** The same key and the same call are the same task; another call is a `conflict`. Fresh unless given. */
  readonly idempotencyKey?: string;
  /** Smaller is first; 10 unless given. */
  readonly priority?: number;
  /** Not before this instant; a number is epoch milliseconds. */
  readonly startAt?: number | Date;
  /** From the first assignment to the end, all attempts and backoffs included. */
  readonly timeout?: Duration;
  readonly attemptTimeout?: Duration;
  /** In place of the definition's own policy. */
  readonly retry?: RetryOptions;
  /** Joined with those of the call. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** W3C traceparent of the caller's span. */
  readonly trace?: string;
}

export interface WaitOptions {
  /** Gives up waiting after this; the task goes on. */
  readonly waitMs?: number;
  /** Gives up waiting with the signal's reason; the task goes on. */
  readonly signal?: AbortSignal;
}

export interface RunOptions extends SubmitOptions, WaitOptions {}

type Draft = { -readonly [Key in keyof SubmitParams]: SubmitParams[Key] };

// Always with a key, so that a submit whose answer was lost can be sent again. Field by field, not
// by spreading: this is on the path of every task.
export function toSubmitParams(call: Call, options: SubmitOptions): SubmitParams {
  const params: Draft = {
    definition: call.definition,
    idempotencyKey: options.idempotencyKey ?? newId(),
  };
  if (call.version !== undefined) params.version = call.version;
  if (call.input !== undefined) params.input = call.input;
  if (options.priority !== undefined) params.priority = options.priority;
  if (options.startAt !== undefined) params.startAt = Number(options.startAt);
  if (options.timeout !== undefined) params.timeoutMs = toMs(options.timeout);
  if (options.attemptTimeout !== undefined) params.attemptTimeoutMs = toMs(options.attemptTimeout);
  if (options.retry !== undefined) params.retry = toRetryPolicy(options.retry);
  if (call.labels || options.labels) params.labels = { ...call.labels, ...options.labels };
  if (options.metadata !== undefined) params.metadata = options.metadata;
  if (options.trace !== undefined) params.trace = options.trace;
  return params;
}
