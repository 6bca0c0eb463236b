import { type Call, each, task } from "kantoku";
import { silentLog, start } from "kantoku/runtime";
import { measureLatency, measureRate, timed } from "../figures.ts";
import type { Scope } from "../scope.ts";

const slots = 1_000;
const chainLength = 100;
const fanWidth = 100;
const samples = 60;
/** All under one root. */
const items = 9_000;

const count = task("count", {}, async ({ n }: { n: number }) => ({ n: n + 1 }));
const sum = task("sum", {}, async ({ parts }: { parts: readonly { n: number }[] }) => ({
  n: parts.reduce((total, { n }) => total + n, 0),
}));
const list = task("list", {}, async ({ length }: { length: number }) =>
  Array.from({ length }, (_, n) => ({ n })),
);

/** Tasks that wait for tasks: a chain, 1 → 100 → 1, and thousands under one root. */
export async function graphs({ databaseUrl, report, scale }: Scope): Promise<void> {
  const definitions = [count, sum, list];
  const kantoku = await start({ databaseUrl, definitions, slots, log: silentLog });
  const times = Math.ceil(samples * scale);
  try {
    const chained = async () => expect(await kantoku.run(chain()), chainLength);
    report(await measureLatency("graph-chain-100", { samples: times, once: chained }));
    const fanned = async () => expect(await kantoku.run(fan()), fanWidth * 2);
    report(await measureLatency("graph-1-100-1", { samples: times, once: fanned }));
    report(
      await measureRate(
        { workload: "graph-each", unit: "tasks/s" },
        {
          count: Math.ceil(items * scale),
          run: (length) =>
            timed(async () => {
              const done = await kantoku.run(each(list({ length }).output, (item) => count(item)));
              expect({ n: done.length }, length);
            }),
        },
      ),
    );
  } finally {
    await kantoku.close();
  }
}

function chain(): Call<{ n: number }> {
  let last = count({ n: 0 });
  for (let length = 1; length < chainLength; length += 1) last = count(last);
  return last;
}

function fan(): Call<{ n: number }> {
  const first = count({ n: 0 });
  const parts = Array.from({ length: fanWidth }, () => count(first));
  return sum({ parts });
}

function expect({ n }: { n: number }, wanted: number): void {
  if (n !== wanted) throw new Error(`the graph came to ${n}, not ${wanted}`);
}
