import { expect, onTestFinished, test } from "vitest";
import type { Call } from "../../sdk/index.ts";
import { withCluster } from "../support/chaos/cluster.ts";
import { Ledger } from "../support/chaos/ledger.ts";
import { keepSubmitting } from "../support/chaos/load.ts";
import { untilAllEnded } from "../support/chaos/story.ts";
import { flaky, noop, stairs } from "../support/chaos/tasks.ts";
import { until } from "../support/chaos/until.ts";
import { expectNothingLost } from "../support/chaos/verdict.ts";
import { openFaultProxy } from "../support/fault-proxy.ts";

const cutCount = 100;
/** Between two cuts, or the same few commits would be cut again and again. */
const tasksPerCut = 3;
const patienceMs = 30_000;

test("a hundred connections cut after COMMIT lose nothing and double nothing", async () => {
  const proxies: Awaited<ReturnType<typeof openFaultProxy>>[] = [];
  onTestFinished(async () => {
    for (const proxy of proxies) await proxy.close();
  });
  const routeDatabase = async (url: string): Promise<string> => {
    proxies.push(await openFaultProxy(url));
    return proxies[0]?.url ?? url;
  };
  await withCluster({ nodes: 1, workers: 1, slots: 50, routeDatabase }, async (cluster) => {
    const [proxy] = proxies;
    if (proxy === undefined) throw new Error("there is no proxy");
    const kantoku = await cluster.connect();
    const ledger = new Ledger();
    const load = keepSubmitting(kantoku, { ledger, callOf, atOnce: 10 });
    for (let cut = 1; cut <= cutCount; cut += 1) {
      proxy.cutNextCommit();
      const isPassed = () => proxy.cuts >= cut && ledger.acknowledged.length >= cut * tasksPerCut;
      await until(isPassed, { patienceMs, what: `what follows cut ${cut}` });
    }
    await load.stop();
    await untilAllEnded(cluster.databaseUrl, patienceMs);
    const stories = await expectNothingLost(cluster, ledger);
    expect(proxy.cuts).toBe(cutCount);
    // What a batch hears that was sent again although its first sending had been committed.
    const repeats = cluster.countRefusals("was passed");
    expect(repeats).toBeGreaterThan(0);
    console.info(`${proxy.cuts} cuts under ${stories.length} tasks, ${repeats} batches repeated`);
  });
}, 90_000);

function callOf(n: number): Call {
  if (n % 3 === 0) return stairs({ n, ms: 10, steps: 3 });
  return n % 3 === 1 ? flaky({ n }) : noop({ n });
}
