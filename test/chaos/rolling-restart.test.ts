import { expect, test } from "vitest";
import type { Call } from "../../sdk/index.ts";
import { withCluster } from "../support/chaos/cluster.ts";
import { Ledger } from "../support/chaos/ledger.ts";
import { keepSubmitting } from "../support/chaos/load.ts";
import { untilAllEnded } from "../support/chaos/story.ts";
import { nap, noop, stairs } from "../support/chaos/tasks.ts";
import { expectNothingLost } from "../support/chaos/verdict.ts";

test("nodes that are restarted in turn by SIGTERM show their clients nothing worse than come again", async () => {
  await withCluster({ nodes: 2, workers: 2, slots: 50 }, async (cluster) => {
    const kantoku = await cluster.connect();
    const ledger = new Ledger();
    const load = keepSubmitting(kantoku, { ledger, callOf, atOnce: 15 });
    const tookMs: number[] = [];
    for (const name of cluster.nodeNames) {
      const process = cluster.process(name);
      const toldAt = performance.now();
      process.signal("SIGTERM");
      await process.ended;
      tookMs.push(Math.round(performance.now() - toldAt));
      expect(process.exitCode).toBe(0);
      await cluster.spawn(name);
    }
    await load.stop();
    await untilAllEnded(cluster.databaseUrl, 30_000);
    const stories = await expectNothingLost(cluster, ledger);
    const setbacks = JSON.stringify(Object.fromEntries(ledger.setbacks));
    console.info(
      `${stories.length} tasks, nodes ended in ${tookMs} ms; at the client: ${setbacks}`,
    );
  });
}, 90_000);

function callOf(n: number): Call {
  if (n % 3 === 0) return stairs({ n, ms: 50, steps: 3 });
  return n % 3 === 1 ? nap({ n, ms: 200 }) : noop({ n });
}
