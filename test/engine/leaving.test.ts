import { describe, expect, test } from "vitest";
import { createClient, task } from "../../sdk/index.ts";
import { EngineRig } from "../support/engine-rig.ts";
import { errorOf, watch } from "../support/outcome.ts";

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

describe("a worker that drains", () => {
  test("with nothing held has gone, and its place is free", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    await worker.drain();
    expect(await statusOf(rig, worker.id)).toBe("gone");
    expect(worker).toMatchObject({ isForgotten: true, isSuperseded: false });
    expect((await errorOf(worker.beat())).code).toBe("not-found");
    await rig.live(13_000);
    expect(await lifeOf(rig, worker.id)).toEqual([
      "worker.registered",
      "worker.draining",
      "worker.gone",
    ]);
  });

  test("stays until its last attempt is answered, and that report may be sent again", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ slots: 2 });
    await rig.submit();
    await rig.submit();
    const [first, last] = worker.assignments;
    await worker.drain();
    await rig.live(13_000, worker);
    expect(await worker.complete(1, first?.token)).toEqual({ answer: "recorded" });
    await rig.live(4_000, worker);
    expect(await statusOf(rig, worker.id)).toBe("draining");
    expect(await worker.complete(2, last?.token)).toEqual({ answer: "recorded" });
    expect(await statusOf(rig, worker.id)).toBe("gone");
    expect(await worker.complete(2, last?.token)).toEqual({ answer: "recorded" });
    expect(await rig.types(last?.task ?? "")).toHaveLength(3);
    expect(await rig.service.doctor()).toEqual({ findings: [] });
  });

  test("does not go while a report of its is not committed", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ slots: 2 });
    await rig.submit();
    const id = await rig.submit();
    const [first, last] = worker.assignments;
    await worker.drain();
    await worker.complete(1, first?.token);
    const release = rig.node.store.hold();
    const report = watch(worker.complete(2, last?.token));
    await rig.live(4_000, worker);
    expect(report.value).toBeUndefined();
    expect(await statusOf(rig, worker.id)).toBe("draining");
    release();
    await rig.settle();
    expect(report.value).toEqual({ answer: "recorded" });
    expect(await rig.eventsOf(id, "attempt.lost")).toEqual([]);
    expect(await statusOf(rig, worker.id)).toBe("gone");
  });

  test("and gives its attempts back has gone with the last", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    await rig.submit();
    await worker.drain();
    await worker.refuse("closed");
    expect(await statusOf(rig, worker.id)).toBe("gone");
  });

  test("has gone, too, where only a later look finds it", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    rig.node.store.failNext("tasks.runningOn", 1);
    await worker.drain();
    expect(await statusOf(rig, worker.id)).toBe("draining");
    await rig.advance(2_000);
    expect(await statusOf(rig, worker.id)).toBe("gone");
  });

  test("has gone, too, when its node dies before it is recorded and another finds it silent", async () => {
    await using rig = await EngineRig.start();
    const other = await rig.join();
    const worker = await rig.worker();
    rig.node.store.failNext("tasks.runningOn", 1);
    await worker.drain();
    rig.node.crash();
    await rig.advance(30_000);
    expect(await statusOf(rig, worker.id)).toBe("gone");
    expect(await other.service.doctor()).toEqual({ findings: [] });
  });

  test("and falls silent with attempts is lost, and they do not count", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    await worker.drain();
    await rig.advance(13_000);
    expect(await statusOf(rig, worker.id)).toBe("lost");
    expect(await rig.eventsOf(id, "attempt.lost")).toMatchObject([{ counts: false }]);
  });
});

async function statusOf(rig: EngineRig, worker: string): Promise<string | undefined> {
  return (await rig.store.workers.read(worker))?.status;
}

async function lifeOf(rig: EngineRig, worker: string): Promise<readonly string[]> {
  return (await rig.store.journal.read(worker, 0, 100)).map(({ type }) => type);
}
