import { expect, test } from "vitest";
import { withCluster } from "../support/chaos/cluster.ts";
import { Ledger } from "../support/chaos/ledger.ts";
import { readIncarnation, untilAllEnded, untilEvents } from "../support/chaos/story.ts";
import { nap, noop } from "../support/chaos/tasks.ts";
import { until } from "../support/chaos/until.ts";
import { expectNothingLost } from "../support/chaos/verdict.ts";

const napCount = 40;
const patienceMs = 30_000;
/** The fence's own words. */
const fenced = "has no live lease";

test("a node frozen past its lease is taken over, and what it writes on waking is refused", async () => {
  const options = { nodes: 2, workers: 2, slots: 30, leaseMs: 3_000, heartbeatMs: 1_000 };
  await withCluster(options, async (cluster) => {
    const [frozenUrl = "", livingUrl = ""] = cluster.urls;
    const [frozen, living] = [cluster.process("node-1"), cluster.process("node-2")];
    const kantoku = await cluster.connect(livingUrl);
    const atFrozen = await cluster.connect(frozenUrl);
    const ledger = new Ledger();
    // Long enough to be running when the node freezes, short enough to be reported to it frozen.
    await Promise.all(
      Array.from({ length: napCount }, (_, n) =>
        ledger.submit(n % 2 === 0 ? kantoku : atFrozen, `nap-${n}`, nap({ n, ms: 1_000 })),
      ),
    );
    await untilEvents(cluster.databaseUrl, "attempt.assigned", napCount);
    const before = await readIncarnation(cluster.databaseUrl, frozen.pid);

    frozen.signal("SIGSTOP");
    await until(() => living.log().includes("node reaped"), { patienceMs, what: "the reaper" });
    await untilAllEnded(cluster.databaseUrl, patienceMs);
    const refusals = cluster.countRefusals(fenced);
    frozen.signal("SIGCONT");

    const isReborn = () => frozen.log().includes("node lost its lease; starting again");
    await until(isReborn, { patienceMs, what: "the zombie to notice" });
    await ledger.run(atFrozen, "after", noop({ n: 1 }));
    const after = await readIncarnation(cluster.databaseUrl, frozen.pid);
    expect(after).not.toBe(before);
    const refused = cluster.countRefusals(fenced) - refusals;
    expect(refused).toBeGreaterThan(0);

    const stories = await expectNothingLost(cluster, ledger);
    const lost = stories.filter(({ events }) => events.some(({ type }) => type === "attempt.lost"));
    expect(lost.length).toBeGreaterThan(0);
    console.info(`${lost.length} attempts taken over, ${refused} stale writes refused`);
  });
}, 90_000);
