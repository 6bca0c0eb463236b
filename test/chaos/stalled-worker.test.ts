import { expect, test } from "vitest";
import { withCluster } from "../support/chaos/cluster.ts";
import { Ledger } from "../support/chaos/ledger.ts";
import { untilAllEnded, untilEvents } from "../support/chaos/story.ts";
import { nap } from "../support/chaos/tasks.ts";
import { expectNothingLost } from "../support/chaos/verdict.ts";

test("a worker frozen past its lease, its socket open, serves again when it goes on", async () => {
  const options = { nodes: 1, workers: 1, slots: 4, leaseMs: 2_000, heartbeatMs: 500 };
  await withCluster(options, async (cluster) => {
    const kantoku = await cluster.connect();
    const ledger = new Ledger();
    await ledger.submit(kantoku, "nap", nap({ n: 1, ms: 1_000 }));
    await untilEvents(cluster.databaseUrl, "attempt.assigned", 1);
    const worker = cluster.process("worker-1");
    worker.signal("SIGSTOP");
    await untilEvents(cluster.databaseUrl, "attempt.lost", 1);
    worker.signal("SIGCONT");
    await untilAllEnded(cluster.databaseUrl, 30_000);
    await expectNothingLost(cluster, ledger);
    const workers = await kantoku.workers();
    expect(workers).toMatchObject([{ status: "serving" }]);
  });
}, 60_000);
