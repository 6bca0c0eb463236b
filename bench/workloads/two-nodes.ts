import { silentLog, start } from "kantoku/runtime";
import { noop, noopInput } from "../definitions.ts";
import { keepInFlight, measureLatency, measureRate, timed } from "../figures.ts";
import { end, forkReady } from "../processes/fork.ts";
import type { Scope } from "../scope.ts";

const tasks = 10_000;
const inFlight = 900;
const latencySamples = 300;
/** Longer than two nodes take to hear of each other. */
const warmUpMs = 5_000;

/** This process submits and waits; another node, in a process of its own, does the work. */
export async function twoNodes({ databaseUrl, report, scale }: Scope): Promise<void> {
  const kantoku = await start({ databaseUrl, log: silentLog });
  const other = await forkReady("node", [databaseUrl]);
  let n = 0;
  const runOne = async (): Promise<void> => {
    n += 1;
    await kantoku.run(noop(noopInput(n)));
  };
  try {
    const until = performance.now() + warmUpMs;
    while (performance.now() < until) await runOne();
    const samples = Math.ceil(latencySamples * scale);
    report(await measureLatency("two-nodes-latency", { samples, once: runOne }));
    report(
      await measureRate(
        { workload: "two-nodes-noop-throughput", unit: "tasks/s" },
        {
          count: Math.ceil(tasks * scale),
          run: (count) => timed(() => keepInFlight({ count, inFlight }, runOne)),
        },
      ),
    );
  } finally {
    await end(other.child);
    await kantoku.close();
  }
}
