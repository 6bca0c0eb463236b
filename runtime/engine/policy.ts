import type { RetryPolicy } from "../../sdk/protocol/task.ts";
import type { Asked, Policy } from "../machines/task.events.ts";
import type { Entropy } from "../ports/entropy.ts";

/** A failed task is not tried again unless somebody says so: trying twice can cost twice. */
const defaults = { maxAttempts: 1, backoff: "exponential", minMs: 1_000, maxMs: 60_000 } as const;

/** How long a worker may clean up after a cancel before the attempt is abandoned. */
export const cancelGraceMs = 10_000;
/** After a refusal, so that a worker that refuses everything does not spin. */
const refusedDelayMs = 1_000;

/** What a submit or a graph says of a task's policy; null when nothing. */
export function askedOf({ retry, timeoutMs, attemptTimeoutMs }: Asked): Asked | null {
  if (retry === undefined && timeoutMs === undefined && attemptTimeoutMs === undefined) return null;
  return {
    ...(retry === undefined ? {} : { retry }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(attemptTimeoutMs === undefined ? {} : { attemptTimeoutMs }),
  };
}

/** The submit's word before the definition's before the default, member by member. */
export function mergePolicy(asked: Asked | null, defined: Asked | undefined): Policy {
  const retry: RetryPolicy = { ...defined?.retry, ...asked?.retry };
  const minMs = retry.minMs ?? defaults.minMs;
  return {
    maxAttempts: retry.maxAttempts ?? defaults.maxAttempts,
    backoff: retry.backoff ?? defaults.backoff,
    minMs,
    maxMs: Math.max(retry.maxMs ?? defaults.maxMs, minMs),
    timeoutMs: asked?.timeoutMs ?? defined?.timeoutMs ?? null,
    attemptTimeoutMs: asked?.attemptTimeoutMs ?? defined?.attemptTimeoutMs ?? null,
  };
}

/**
 * The delay after so many failures, in milliseconds, drawn with full jitter: uniform between
 * `minMs` and the exponential ceiling (a crowd that failed together does not come back together).
 */
export function drawRetryDelay(policy: Policy | null, failures: number, entropy: Entropy): number {
  if (policy === null) return defaults.minMs;
  if (policy.backoff === "fixed") return policy.minMs;
  const ceiling = Math.min(policy.maxMs, policy.minMs * 2 ** Math.min(failures, 30));
  return Math.round(policy.minMs + entropy.random() * (ceiling - policy.minMs));
}

export function drawRefusedDelay(entropy: Entropy): number {
  return Math.round(refusedDelayMs * (0.5 + entropy.random()));
}
