import { test } from "vitest";
import { withCluster } from "../support/chaos/cluster.ts";
import { Ledger } from "../support/chaos/ledger.ts";
import { untilAllEnded, untilEvents } from "../support/chaos/story.ts";
import { stairs } from "../support/chaos/tasks.ts";
import { expectNothingLost } from "../support/chaos/verdict.ts";

const taskCount = 200;

test("a worker killed under 200 tasks of five steps comes back and finishes each step once", async () => {
  await withCluster({ nodes: 1, workers: 1, slots: taskCount }, async (cluster) => {
    const kantoku = await cluster.connect();
    const ledger = new Ledger();
    await Promise.all(
      Array.from({ length: taskCount }, (_, n) =>
        ledger.submit(kantoku, `stairs-${n}`, stairs({ n, ms: 200, steps: 5 })),
      ),
    );
    await untilEvents(cluster.databaseUrl, "step.recorded", taskCount);
    await cluster.kill("worker-1");
    const killedAt = performance.now();
    await cluster.spawn("worker-1");
    await untilAllEnded(cluster.databaseUrl, 30_000);
    const tookMs = Math.round(performance.now() - killedAt);
    console.info(`kill → all of ${taskCount} × 5 × 200 ms done: ${tookMs} ms`);
    await expectNothingLost(cluster, ledger);
  });
}, 60_000);
