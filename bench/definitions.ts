import { setTimeout as delay } from "node:timers/promises";
import { task } from "kantoku";

/** About 100 bytes of input and a stored result, and no work. */
export const noop = task("bench/noop", {}, async (input: NoopInput) => ({ n: input.n }));

export interface NoopInput {
  readonly n: number;
  readonly url: string;
  readonly note: string;
}

export function noopInput(n: number): NoopInput {
  return { n, url: "https://example.org/a/page/of/text", note: "x".repeat(43) };
}

/** Ten steps, one after the other, of no work. */
export const tenSteps = task("bench/ten-steps", {}, async (_: { n: number }, ctx) => {
  for (let step = 1; step <= 10; step += 1) await ctx.step(`step-${step}`, () => step);
});

/** Five steps of 200 ms. */
export const slowSteps = task("bench/slow-steps", {}, async (_: { n: number }, ctx) => {
  for (let step = 1; step <= 5; step += 1) await ctx.step(`step-${step}`, () => delay(200, step));
});
