import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Kantoku } from "../../sdk/index.ts";
import { type Cluster, withCluster } from "../support/chaos/cluster.ts";
import { countBy } from "../support/chaos/count.ts";
import { Ledger } from "../support/chaos/ledger.ts";
import { type Deed, drawPlan } from "../support/chaos/plan.ts";
import {
  readWorkerNames,
  type Story,
  tellStory,
  untilAllEnded,
  untilEvents,
} from "../support/chaos/story.ts";
import { type Takeover, takeoversIn } from "../support/chaos/takeovers.ts";
import { nap } from "../support/chaos/tasks.ts";
import { expectNothingLost } from "../support/chaos/verdict.ts";

const leaseMs = 3_000;
const takeoverLeases = 1.5;
const healMs = 45_000;

test("nothing is lost while workers, nodes and the database are killed", async () => {
  const seed = Number(process.env["KANTOKU_CHAOS_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  console.info(`KANTOKU_CHAOS_SEED=${seed} replays this plan`);
  const options = { nodes: 2, workers: 3, slots: 20, leaseMs, heartbeatMs: 1_000 };
  await withCluster(options, async (cluster) => {
    const plan = drawPlan({
      seed,
      durationMs: 55_000,
      submits: 2_400,
      nodes: cluster.nodeNames,
      workers: cluster.workerNames,
      nodeKills: 6,
      workerKills: 12,
      databaseCrashes: 6,
    });
    const ledger = new Ledger();
    const kantoku = await cluster.connect();
    await carryOut(plan, { cluster, kantoku, ledger });
    await untilAllEnded(cluster.databaseUrl, healMs);

    const stories = await expectNothingLost(cluster, ledger);
    const takeovers = await readTakeovers(cluster, stories);
    const faults = countBy(cluster.faults, ({ kind }) => kind);
    console.info(
      `${stories.length} tasks, ${JSON.stringify(faults)}, ${summary(takeovers)}; ` +
        `errors at the client: ${JSON.stringify(Object.fromEntries(ledger.setbacks))}`,
    );
    expect(faults["kill"]).toBeGreaterThanOrEqual(15);
    expect(faults["outage"]).toBeGreaterThanOrEqual(5);
    expectTakeoversWithin(takeovers, takeoverLeases * leaseMs);
  });
}, 180_000);

test("with the default leases a killed worker's tasks are taken over within 15 s", async () => {
  await withCluster({ nodes: 2, workers: 2, slots: 50 }, async (cluster) => {
    const ledger = new Ledger();
    const kantoku = await cluster.connect();
    const submits = Array.from({ length: 80 }, (_, n) =>
      ledger.submit(kantoku, `nap-${n}`, nap({ n, ms: 3_000 })),
    );
    await untilEvents(cluster.databaseUrl, "attempt.assigned", 80);
    await cluster.kill("worker-1");
    await Promise.all(submits);
    await untilAllEnded(cluster.databaseUrl, healMs);
    const stories = await expectNothingLost(cluster, ledger);
    const takeovers = await readTakeovers(cluster, stories);
    console.info(`default leases: ${summary(takeovers)}`);
    expectTakeoversWithin(takeovers, 15_000);
  });
}, 90_000);

interface Stage {
  readonly cluster: Cluster;
  readonly kantoku: Kantoku;
  readonly ledger: Ledger;
}

/** Does each deed at its moment and awaits them all: what was killed is up again afterwards. */
async function carryOut(plan: readonly Deed[], stage: Stage): Promise<void> {
  const startedAt = performance.now();
  const under: Promise<void>[] = [];
  for (const deed of plan) {
    const waitMs = deed.atMs - (performance.now() - startedAt);
    if (waitMs > 0) await sleep(waitMs);
    const done = perform(deed, stage);
    // Awaited at the end; until then its failure is nobody's.
    done.catch(() => {});
    under.push(done);
  }
  await Promise.all(under);
}

async function perform(deed: Deed, { cluster, kantoku, ledger }: Stage): Promise<void> {
  switch (deed.kind) {
    case "kill":
      await cluster.untilUp(isNode(deed.name, cluster) ? cluster.nodeNames : [deed.name]);
      await cluster.kill(deed.name);
      await sleep(deed.awayMs);
      await cluster.spawn(deed.name);
      return;
    case "crashDatabase":
      return cluster.crashDatabase();
    case "submit":
      return ledger.submit(kantoku, deed.key, deed.call);
    case "run":
      return ledger.run(kantoku, deed.key, deed.call);
  }
}

function isNode(name: string, cluster: Cluster): boolean {
  return cluster.nodeNames.includes(name);
}

/** The quickest first. */
async function readTakeovers(
  cluster: Cluster,
  stories: readonly Story[],
): Promise<readonly Takeover[]> {
  const workers = await readWorkerNames(cluster.databaseUrl);
  const takeovers = takeoversIn(stories, { faults: cluster.faults, workers });
  return takeovers.toSorted((a, b) => a.tookMs - b.tookMs);
}

function expectTakeoversWithin(takeovers: readonly Takeover[], ms: number): void {
  expect(takeovers.length).toBeGreaterThan(0);
  const tooLate = takeovers.filter(({ tookMs }) => tookMs > ms);
  expect(tooLate.map(({ tookMs, story }) => `${tookMs} ms: ${tellStory(story)}`)).toEqual([]);
  const misjudged = takeovers.filter(({ isMisjudged }) => isMisjudged);
  expect(misjudged.map(({ story }) => tellStory(story))).toEqual([]);
}

function summary(takeovers: readonly Takeover[]): string {
  const middle = takeovers[takeovers.length >> 1]?.tookMs;
  const reasons = JSON.stringify(countBy(takeovers, ({ reason }) => reason));
  const longest = takeovers.at(-1)?.tookMs;
  return `${takeovers.length} takeovers ${reasons}, p50 ${middle} ms, longest ${longest} ms`;
}
