import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import postgres from "postgres";
import { expect, test } from "vitest";
import { type Cluster, withCluster } from "../support/chaos/cluster.ts";
import { countBy } from "../support/chaos/count.ts";
import { Ledger } from "../support/chaos/ledger.ts";
import { type Shape, shapeOf } from "../support/chaos/pipelines.ts";
import { type Deed, drawPlan } from "../support/chaos/plan.ts";
import { readStories, type Story, tellStory, untilAllEnded } from "../support/chaos/story.ts";
import { expectHealthy, journalProblems } from "../support/chaos/verdict.ts";

const durationMs = 24_000;
const graphs = 180;

test("no graph is lost or stuck while workers, nodes and the database are killed", async () => {
  const seed = Number(process.env["KANTOKU_CHAOS_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  console.info(`KANTOKU_CHAOS_SEED=${seed} replays this plan`);
  const options = { nodes: 2, workers: 3, slots: 20, leaseMs: 3_000, heartbeatMs: 1_000 };
  await withCluster(options, async (cluster) => {
    const plan = drawPlan({
      seed,
      durationMs,
      submits: 0,
      nodes: cluster.nodeNames,
      workers: cluster.workerNames,
      nodeKills: 5,
      workerKills: 7,
      databaseCrashes: 2,
    });
    const kantoku = await cluster.connect();
    const ledger = new Ledger();
    const shapes = new Map<string, Shape>();
    const startedAt = performance.now();
    const submits = Array.from({ length: graphs }, async (_, n) => {
      await sleep((n * durationMs) / graphs);
      const shape = shapeOf(n);
      shapes.set(`graph-${n}`, shape);
      await ledger.submit(kantoku, `graph-${n}`, shape.call);
    });
    await Promise.all([...submits, ...plan.map((deed) => carryOut(deed, startedAt, cluster))]);
    await untilAllEnded(cluster.databaseUrl, 30_000);

    const stories = await readStories(cluster.databaseUrl);
    expect(ledger.violations).toEqual([]);
    expect(ledger.acknowledged.length).toBe(graphs);
    expect(await problemsIn(cluster, stories, shapes)).toEqual([]);
    await expectHealthy(cluster.urls[0] ?? "");
    const faults = countBy(cluster.faults, ({ kind }) => kind);
    const setbacks = JSON.stringify(Object.fromEntries(ledger.setbacks));
    const events = countBy(
      stories.flatMap((story) => story.events),
      ({ type }) => type,
    );
    console.info(
      `${graphs} graphs, ${stories.length} tasks, ${events["attempt.lost"] ?? 0} attempts lost, ` +
        `${JSON.stringify(faults)}; errors at the client: ${setbacks}`,
    );
    expect(faults["kill"]).toBeGreaterThanOrEqual(10);
  });
}, 120_000);

async function carryOut(deed: Deed, startedAt: number, cluster: Cluster): Promise<void> {
  await sleep(Math.max(0, deed.atMs - (performance.now() - startedAt)));
  if (deed.kind === "crashDatabase") return cluster.crashDatabase();
  if (deed.kind !== "kill") return;
  const isNode = cluster.nodeNames.includes(deed.name);
  await cluster.untilUp(isNode ? cluster.nodeNames : [deed.name]);
  await cluster.kill(deed.name);
  await sleep(deed.awayMs);
  await cluster.spawn(deed.name);
}

/** Every graph is there once and whole, each of its tasks has succeeded once, and the output is right. */
async function problemsIn(
  { databaseUrl }: Cluster,
  stories: readonly Story[],
  shapes: ReadonlyMap<string, Shape>,
): Promise<readonly string[]> {
  const sizes = await readSizes(databaseUrl);
  const roots = stories.filter(({ key }) => key !== null);
  const wanted = Array.from(shapes.values(), ({ tasks }) => tasks + 1);
  const total = wanted.reduce((sum, tasks) => sum + tasks, 0);
  return [
    ...(stories.length === total ? [] : [`there are ${stories.length} tasks, not ${total}`]),
    ...stories.filter(({ status }) => status !== "succeeded").map(tellStory),
    ...stories.filter(isAttempted).flatMap(journalProblems),
    ...roots.flatMap((story) => {
      const shape = shapes.get(story.key ?? "");
      if (shape === undefined) return [`nobody asked for ${tellStory(story)}`];
      const size = sizes.get(story.id) ?? 0;
      if (size !== shape.tasks)
        return [`has ${size} tasks, not ${shape.tasks}: ${tellStory(story)}`];
      if (isDeepStrictEqual(story.output, shape.output)) return [];
      return [`gave ${JSON.stringify(story.output)}: ${tellStory(story)}`];
    }),
  ];
}

/** What other tasks do ends without an attempt. */
function isAttempted({ events }: Story): boolean {
  return events.some(({ type }) => type === "attempt.assigned");
}

/** How many tasks there are under each root. */
async function readSizes(url: string): Promise<ReadonlyMap<string, number>> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const rows = await sql<{ root: string; size: number }[]>`
      select root, count(*)::int as size from kantoku.tasks where root <> id group by root`;
    return new Map(rows.map(({ root, size }) => [root, size]));
  } finally {
    await sql.end();
  }
}
