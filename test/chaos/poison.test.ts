import { expect, test } from "vitest";
import { withCluster } from "../support/chaos/cluster.ts";
import { countBy } from "../support/chaos/count.ts";
import { Ledger } from "../support/chaos/ledger.ts";
import { readStories, untilAllEnded } from "../support/chaos/story.ts";
import { nap, poison } from "../support/chaos/tasks.ts";
import { expectHealthy } from "../support/chaos/verdict.ts";

const innocentCount = 200;
const napMs = 400;

test("of a poison task among 200 innocents exactly the poison is quarantined", async () => {
  await withCluster({ nodes: 1, workers: 3, slots: 50 }, async (cluster) => {
    let deaths = 0;
    for (const name of cluster.workerNames) cluster.respawnAlways(name, () => (deaths += 1));
    const kantoku = await cluster.connect();
    const ledger = new Ledger();
    const innocents = Array.from({ length: innocentCount }, (_, n) =>
      ledger.submit(kantoku, `innocent-${n}`, nap({ n, ms: napMs })),
    );
    const poisoned = await kantoku.submit(poison());
    await Promise.all(innocents);

    await expect(poisoned.result()).rejects.toMatchObject({ code: "task-quarantined" });
    await untilAllEnded(cluster.databaseUrl, 30_000);
    const stories = await readStories(cluster.databaseUrl);
    expect(countBy(stories, ({ status }) => status)).toEqual({
      succeeded: innocentCount,
      quarantined: 1,
    });
    expect(ledger.violations).toEqual([]);
    console.info(`quarantined after ${deaths} deaths of workers`);
    await expectHealthy(cluster.urls[0] ?? "");
  });
}, 90_000);
