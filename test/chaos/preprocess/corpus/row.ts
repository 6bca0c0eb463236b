import type { FaultKind } from "../../../../runtime/preprocess/index.ts";

/**
 * One hostile snippet: what it tries, its code, and how it has to end: with one of some faults, or
 * with exactly this output.
 */
export type Row = readonly [
  tries: string,
  code: string,
  ends: readonly FaultKind[] | { readonly output: unknown },
];
