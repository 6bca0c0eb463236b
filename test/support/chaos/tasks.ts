import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { type Call, task } from "../../../sdk/index.ts";

/** What the workers of chaos tests serve. Outputs can be told from the input, but for the draws. */
export const noop = task("noop", {}, ({ n }: Numbered) => ({ n }));

export const nap = task("nap", {}, async ({ n, ms }: Timed) => {
  await sleep(ms);
  return { n };
});

export const stairs = task("stairs", {}, async ({ n, ms, steps }: Stepped, ctx) => {
  const stairs: Stair[] = [];
  for (let height = 1; height <= steps; height += 1) {
    stairs.push(
      await ctx.step("stair", async () => {
        await sleep(ms);
        return { height: n + height, draw: Math.random() };
      }),
    );
  }
  return { n, heights: stairs.map((it) => it.height), draws: stairs.map((it) => it.draw) };
});

export const flaky = task(
  "flaky",
  { retry: { maxAttempts: 3, backoff: "fixed", minMs: 50, maxMs: 50 } },
  ({ n }: Numbered, ctx) => {
    if (ctx.attempt === 1) throw new Error("a first attempt always fails");
    return { n };
  },
);

export const poison = task("poison", {}, async () => {
  process.kill(process.pid, "SIGKILL");
  await new Promise<never>(() => {});
});

export const everything = [noop, nap, stairs, flaky, poison];

interface Numbered {
  readonly n: number;
}
interface Timed extends Numbered {
  readonly ms: number;
}
interface Stepped extends Timed {
  readonly steps: number;
}

/** What a step gives: its draw is another one whenever it runs again. */
export interface Stair {
  readonly height: number;
  readonly draw: number;
}

/** Whether this is what the call must give; the draws are compared with the journal's. */
export function isOutputOf({ definition, input }: Call, output: unknown): boolean {
  const { n, steps } = input as Stepped;
  if (definition !== stairs.name) return isDeepStrictEqual(output, { n });
  const { draws, ...told } = output as { draws: readonly number[] };
  const heights = Array.from({ length: steps }, (_, index) => n + index + 1);
  return draws.length === steps && isDeepStrictEqual(told, { n, heights });
}
