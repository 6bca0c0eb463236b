const minMs = 50;
const maxMs = 5_000;

/** How long to wait before try number `failures + 1`: full jitter, so that a crowd does not return at once. */
export function backoffMs(failures: number, random: () => number): number {
  const ceilingMs = Math.min(maxMs, minMs * 2 ** Math.min(failures, 10));
  return random() * ceilingMs;
}
