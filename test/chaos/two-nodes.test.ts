import { expect, test } from "vitest";
import type { Kantoku } from "../../sdk/index.ts";
import { withCluster } from "../support/chaos/cluster.ts";
import { Ledger } from "../support/chaos/ledger.ts";
import { untilAllEnded } from "../support/chaos/story.ts";
import { noop } from "../support/chaos/tasks.ts";
import { expectNothingLost } from "../support/chaos/verdict.ts";

const keyCount = 1_000;

test("two nodes that take the same keys in opposite orders make each task once", async () => {
  await withCluster({ nodes: 2, workers: 2 }, async (cluster) => {
    const [first = "", second = ""] = cluster.urls;
    const [forward, backward] = await Promise.all([
      cluster.connect(first),
      cluster.connect(second),
    ]);
    const ledger = new Ledger();
    const numbers = Array.from({ length: keyCount }, (_, n) => n);
    const submitAll = (kantoku: Kantoku, order: readonly number[]) =>
      Promise.all(order.map((n) => ledger.submit(kantoku, `key-${n}`, noop({ n }))));
    await Promise.all([submitAll(forward, numbers), submitAll(backward, numbers.toReversed())]);

    await untilAllEnded(cluster.databaseUrl, 30_000);
    // The ledger notes it as a violation when a key's two callers heard of different tasks.
    const stories = await expectNothingLost(cluster, ledger);
    expect(stories.length).toBe(keyCount);
    expect(cluster.countRefusals("deadlock detected")).toBe(0);
  });
}, 60_000);
