import type { KantokuError } from "../errors.ts";

const minMs = 50;
const maxMs = 5_000;

/** How long to wait before try number `failures + 1`: full jitter, so that a crowd does not return at once. */
export function backoffMs(failures: number, random: () => number): number {
  const ceilingMs = Math.min(maxMs, minMs * 2 ** Math.min(failures, 10));
  return random() * ceilingMs;
}

/** The same after an error that may say how long to stay away at least. */
export function retryInMs(error: KantokuError, failures: number, random: () => number): number {
  const askedMs = error.data["retryAfterMs"];
  const leastMs = typeof askedMs === "number" && askedMs > 0 ? askedMs : 0;
  return leastMs + backoffMs(failures, random);
}
