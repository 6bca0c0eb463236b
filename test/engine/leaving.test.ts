import { expect, test } from "vitest";

import { createClient, task } from "../../sdk/index.ts";
import { EngineRig } from "../support/engine-rig.ts";

test("a worker that is closed gives its tasks back at once, however often, and is to blame for none", async () => {
  await using rig = await EngineRig.start();
  const id = await rig.submit();
  let runs = 0;
  const job = task("job", {}, async () => {
    runs += 1;
    await new Promise(() => {});
  });
  for (let times = 1; times <= 9; times += 1) {
    const client = createClient(rig.service);
    await client.work([job], { slots: 1 });
    await rig.advance(2_000);
    expect(runs).toBe(times);
    const closed = client.close();
    await rig.settle();
    await closed;
    expect(await rig.status(id)).toBe("waiting");
  }
  expect(await rig.eventsOf(id, "attempt.lost")).toEqual([]);
  const workers = await rig.store.workers.list("default");
  expect(new Set(workers.map(({ status }) => status))).toEqual(new Set(["gone"]));
});
