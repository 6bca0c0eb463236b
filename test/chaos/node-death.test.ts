import { expect, onTestFinished, test } from "vitest";
import { examine } from "../../runtime/store/postgres/doctor.ts";
import { connect } from "../../sdk/index.ts";
import { Ledger } from "../support/chaos/ledger.ts";
import { makeLone } from "../support/chaos/lone.ts";
import { readStories, untilAllEnded } from "../support/chaos/story.ts";
import { nap, noop } from "../support/chaos/tasks.ts";
import { expectHealthy, journalProblems } from "../support/chaos/verdict.ts";

const restartMsMax = 2_000;
/** The quickest counts: the limit is the product's, not that of whatever else the machine does. */
const restarts = 3;
/** At each restart. Few, for those that lose their worker twice run one after another from then on. */
const tasksLeft = 6;

test("the only node, killed with its worker inside and restarted at once, works within 2 s", async () => {
  const { dataDir, spawn, openDatabase } = await makeLone();
  const settings = { dataDir, leaveBehind: tasksLeft };
  const start = () => spawn({ program: "solo", name: "solo", settings });
  const acknowledged: string[] = [];
  const tookMs: number[] = [];
  let node = start();
  await node.message();
  for (let restart = 1; restart <= restarts; restart += 1) {
    acknowledged.push(...(await node.message<{ acknowledged: string[] }>()).acknowledged);
    await node.kill();
    node = start();
    await node.message();
    tookMs.push(Date.now() - node.spawnedAt);
  }
  await node.message();

  const url = await openDatabase();
  await untilAllEnded(url, 30_000);
  const stories = await readStories(url);
  expect(stories.flatMap(journalProblems)).toEqual([]);
  const succeeded = stories.filter(({ status }) => status === "succeeded").map(({ id }) => id);
  expect(succeeded).toEqual(expect.arrayContaining(acknowledged));
  expect(acknowledged.length).toBe(restarts * tasksLeft);
  expect(await examine({ url, schema: "kantoku" })).toEqual([]);
  console.info(`in process: spawn → first task done: ${tookMs} ms`);
  expect(Math.min(...tookMs)).toBeLessThanOrEqual(restartMsMax);
}, 60_000);

test("the only node, killed under a worker elsewhere and restarted at once, works within 2 s", async () => {
  const { dataDir, spawn, openDatabase } = await makeLone();
  let node = spawn({ program: "node", name: "node", settings: { dataDir } });
  const { url: gateway, port } = await node.message<{ url: string; port: number }>();
  const worker = { urls: [gateway], name: "worker", slots: 50 };
  await spawn({ program: "worker", name: "worker", settings: worker }).message();
  const kantoku = await connect(gateway);
  onTestFinished(() => kantoku.close());
  const ledger = new Ledger();
  const tookMs: number[] = [];
  for (let restart = 1; restart <= restarts; restart += 1) {
    await Promise.all(
      Array.from({ length: tasksLeft }, (_, n) =>
        ledger.submit(kantoku, `left-${restart}-${n}`, nap({ n, ms: 300 })),
      ),
    );
    await node.kill();
    node = spawn({ program: "node", name: "node", settings: { dataDir, port } });
    await ledger.run(kantoku, `first-${restart}`, noop({ n: restart }));
    tookMs.push(Date.now() - node.spawnedAt);
  }

  const url = await openDatabase();
  await untilAllEnded(url, 30_000);
  const stories = await readStories(url);
  expect(stories.flatMap(journalProblems)).toEqual([]);
  expect(ledger.violations).toEqual([]);
  const succeeded = stories.filter(({ status }) => status === "succeeded").map(({ id }) => id);
  expect(succeeded.toSorted()).toEqual(ledger.acknowledged.map(({ id }) => id).toSorted());
  expect(succeeded.length).toBe(restarts * (tasksLeft + 1));
  await expectHealthy(gateway);
  console.info(`over the gateway: spawn → first task done: ${tookMs} ms`);
  expect(Math.min(...tookMs)).toBeLessThanOrEqual(restartMsMax);
}, 60_000);
