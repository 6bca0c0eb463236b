import type { RetryPolicy } from "./protocol/task.ts";
import { type Duration, toMs } from "./values/duration.ts";

/** A RetryPolicy whose bounds may be written as durations. */
export interface RetryOptions extends RetryPolicy {
  readonly min?: Duration;
  readonly max?: Duration;
}

/** The policy in milliseconds, as the protocol has it. */
export function toRetryPolicy({ min, max, ...policy }: RetryOptions): RetryPolicy {
  return {
    ...policy,
    ...(min !== undefined && { minMs: toMs(min) }),
    ...(max !== undefined && { maxMs: toMs(max) }),
  };
}
