import { connect } from "kantoku";
import { noop, noopInput, tenSteps } from "../definitions.ts";
import { keepInFlight, measureLatency, measureRate, timed } from "../figures.ts";
import { end, forkReady } from "../processes/fork.ts";
import type { Scope } from "../scope.ts";

const tasks = 10_000;
const inFlight = 800;
const latencySamples = 500;
const stepTasks = 300;
const stepsATask = 10;

/** Three processes over the gateway: server, worker, and this one as the client. */
export async function gateway({ databaseUrl, report, scale }: Scope): Promise<void> {
  const server = await forkReady<{ url: string }>("server", [databaseUrl]);
  const worker = await forkReady("worker", [server.message.url]);
  const kantoku = await connect(server.message.url);
  let n = 0;
  const runOne = async (): Promise<void> => {
    n += 1;
    await kantoku.run(noop(noopInput(n)));
  };
  try {
    report(
      await measureLatency("gateway-latency", {
        samples: Math.ceil(latencySamples * scale),
        once: runOne,
      }),
    );
    report(
      await measureRate(
        { workload: "gateway-noop-throughput", unit: "tasks/s" },
        {
          count: Math.ceil(tasks * scale),
          run: (count) => timed(() => keepInFlight({ count, inFlight }, runOne)),
        },
      ),
    );
    report(
      await measureRate(
        { workload: "gateway-steps", unit: "steps/s" },
        {
          count: Math.ceil(stepTasks * scale) * stepsATask,
          run: (steps) =>
            timed(() =>
              keepInFlight({ count: steps / stepsATask, inFlight: 100 }, async () => {
                n += 1;
                await kantoku.run(tenSteps({ n }));
              }),
            ),
        },
      ),
    );
  } finally {
    await kantoku.close();
    await end(worker.child);
    await end(server.child);
  }
}
