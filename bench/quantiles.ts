export type Quantiles = { p50: number; p95: number; p99: number };

/** Nearest-rank quantiles, in the unit of the samples; throws when there are none. */
export function quantiles(samples: readonly number[]): Quantiles {
  const sorted = samples.toSorted((a, b) => a - b);
  return { p50: at(sorted, 0.5), p95: at(sorted, 0.95), p99: at(sorted, 0.99) };
}

function at(sorted: readonly number[], fraction: number): number {
  const value = sorted[Math.max(0, Math.ceil(sorted.length * fraction) - 1)];
  if (value === undefined) throw new Error("quantiles need at least one sample");
  return value;
}
