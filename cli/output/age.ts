const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;

interface Scale {
  readonly belowMs: number;
  readonly unitMs: number;
  readonly unit: string;
  readonly restMs?: number;
  readonly rest?: string;
}

/** As kubectl does: two units while the smaller one still says something. */
const scales: readonly Scale[] = [
  { belowMs: 2 * minute, unitMs: second, unit: "s" },
  { belowMs: 10 * minute, unitMs: minute, unit: "m", restMs: second, rest: "s" },
  { belowMs: 3 * hour, unitMs: minute, unit: "m" },
  { belowMs: 8 * hour, unitMs: hour, unit: "h", restMs: minute, rest: "m" },
  { belowMs: 2 * day, unitMs: hour, unit: "h" },
  { belowMs: 8 * day, unitMs: day, unit: "d", restMs: hour, rest: "h" },
  { belowMs: 2 * year, unitMs: day, unit: "d" },
  { belowMs: 8 * year, unitMs: year, unit: "y", restMs: day, rest: "d" },
];
const longest: Scale = { belowMs: Number.POSITIVE_INFINITY, unitMs: year, unit: "y" };

/** `3m12s`. What lies in the future, because clocks differ, is `0s`. */
export function formatAge(ms: number): string {
  const age = Math.max(0, ms);
  const { unitMs, unit, restMs, rest } = scales.find(({ belowMs }) => age < belowMs) ?? longest;
  const whole = `${Math.floor(age / unitMs)}${unit}`;
  if (restMs === undefined) return whole;
  const remainder = Math.floor((age % unitMs) / restMs);
  return remainder === 0 ? whole : `${whole}${remainder}${rest}`;
}

/** How long something took: like an age, and exact where it was short. */
export function formatTook(ms: number): string {
  if (ms < second) return `${Math.max(0, Math.round(ms))}ms`;
  return ms < 10 * second ? `${(ms / second).toFixed(1)}s` : formatAge(ms);
}
