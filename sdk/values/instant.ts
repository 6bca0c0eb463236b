import { KantokuError } from "../errors.ts";

/** Whole epoch milliseconds; a KantokuError `invalid-params` for a date or number that is none. */
export function toEpochMs(instant: number | Date): number {
  const isOne = typeof instant === "number" || instant instanceof Date;
  const ms = isOne ? Math.round(Number(instant)) : Number.NaN;
  if (Number.isSafeInteger(ms)) return ms;
  throw new KantokuError(
    "invalid-params",
    `not an instant: ${String(instant).slice(0, 40)}; give a Date or epoch milliseconds`,
  );
}
