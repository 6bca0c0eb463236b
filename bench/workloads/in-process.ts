import { silentLog, start } from "kantoku/runtime";
import { noop, noopInput, tenSteps } from "../definitions.ts";
import { keepInFlight, measureLatency, measureRate, timed } from "../figures.ts";
import type { Scope } from "../scope.ts";

const tasks = 20_000;
const slots = 1_000;
/** Fewer than there are slots, so that each takes one at once; and four times as many, so that most queue. */
const inFlight = { "noop-throughput": 900, "noop-queued": 4_000 };
const latencySamples = 500;
const stepTasks = 1_000;
const stepsATask = 10;
const stepTasksInFlight = 100;

/** Everything in one process: runtime, client, worker. Latency first, on a small table. */
export async function inProcess({ databaseUrl, report, scale }: Scope): Promise<void> {
  const definitions = [noop, tenSteps];
  const kantoku = await start({ databaseUrl, definitions, slots, log: silentLog });
  let n = 0;
  const runOne = async (): Promise<void> => {
    n += 1;
    const { n: answered } = await kantoku.run(noop(noopInput(n)));
    if (answered === undefined) throw new Error("a task came back without its result");
  };
  try {
    // As many in a short run, too: in the first hundreds it is the compiler that is measured.
    for (let warmUp = 0; warmUp < latencySamples; warmUp += 1) await runOne();
    report(await measureLatency("latency", { samples: latencySamples, once: runOne }));
    for (const [workload, count] of Object.entries(inFlight)) {
      report(
        await measureRate(
          { workload, unit: "tasks/s" },
          {
            count: Math.ceil(tasks * scale),
            run: (all) => timed(() => keepInFlight({ count: all, inFlight: count }, runOne)),
          },
        ),
      );
    }
    report(
      await measureRate(
        { workload: "steps", unit: "steps/s" },
        {
          count: Math.ceil(stepTasks * scale) * stepsATask,
          run: (steps) =>
            timed(() =>
              keepInFlight({ count: steps / stepsATask, inFlight: stepTasksInFlight }, async () => {
                n += 1;
                await kantoku.run(tenSteps({ n }));
              }),
            ),
        },
      ),
    );
  } finally {
    await kantoku.close();
  }
}
