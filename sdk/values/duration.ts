import { KantokuError } from "../errors.ts";

const msByUnit = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
} as const;

type Unit = keyof typeof msByUnit;

/** Milliseconds, or a number with a unit: `"30s"`, `"1.5h"`, `"2d"`. */
export type Duration = number | `${number}${Unit}`;

const written = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/;

/** Whole milliseconds; a KantokuError `invalid-params` for anything negative, endless or unreadable. */
export function toMs(duration: Duration): number {
  const ms = typeof duration === "string" ? parse(duration) : duration;
  if (typeof ms !== "number" || !(ms >= 0 && ms <= Number.MAX_SAFE_INTEGER)) {
    throw new KantokuError(
      "invalid-params",
      `not a duration: ${describe(duration)}; give milliseconds or a text like "30s" (ms, s, m, h, d, w)`,
    );
  }
  return Math.round(ms);
}

function parse(duration: string): number | undefined {
  const [, amount, unit] = written.exec(duration) ?? [];
  return amount === undefined ? undefined : Number(amount) * msByUnit[unit as Unit];
}

function describe(duration: unknown): string {
  return typeof duration === "string" ? JSON.stringify(duration.slice(0, 40)) : String(duration);
}
