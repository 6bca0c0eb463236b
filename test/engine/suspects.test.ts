import { expect, test } from "vitest";
import { EngineRig } from "../support/engine-rig.ts";
import { errorOf } from "../support/outcome.ts";
import { lossesUntilQuarantine, quarantine } from "../support/poison.ts";

test("a task that keeps killing its worker is quarantined, and whoever waits is told", async () => {
  await using rig = await EngineRig.start();
  const id = await quarantine(rig);
  const task = await rig.get(id);
  expect(task).toMatchObject({
    status: "quarantined",
    attempt: lossesUntilQuarantine,
    error: { code: "poison" },
    waitingFor: { reason: "quarantine" },
  });
  const error = await errorOf(rig.service.result({ id }));
  expect(error.code).toBe("task-quarantined");
  expect(error.data).toMatchObject({ task: id, error: { code: "poison" } });
  expect(await rig.service.doctor()).toEqual({ findings: [] });
});

test("losses do not use up attempts", async () => {
  await using rig = await EngineRig.start();
  const id = await rig.submit({ retry: { maxAttempts: 2, backoff: "fixed", minMs: 100 } });
  for (let death = 1; death <= 3; death += 1) {
    await rig.worker({ name: "w", instance: `victim-${death}` });
    await rig.settle();
  }
  const worker = await rig.worker({ name: "w", instance: "survivor" });
  await rig.settle();
  expect(worker.last).toMatchObject({ task: id, attempt: 4 });
  await worker.fail();
  await rig.advance(200);
  expect(worker.last).toMatchObject({ task: id, attempt: 5 });
});

test("losses that do not count never quarantine", async () => {
  await using rig = await EngineRig.start();
  const id = await rig.submit();
  const worker = await rig.worker({ name: "w" });
  await rig.settle();
  for (let loss = 0; loss < 12; loss += 1) {
    await worker.registerOn(rig.service, { name: "w", attempts: [] });
    await rig.settle();
  }
  expect(await rig.status(id)).toBe("running");
});

test("a poison among innocents: it alone is quarantined", async () => {
  await using rig = await EngineRig.start();
  const poison = await rig.submit({ input: "poison" });
  const innocents: string[] = [];
  for (let task = 0; task < 9; task += 1) innocents.push(await rig.submit({ input: "innocent" }));

  const suspects = new Set<string>();
  const losses = new Map<string, number>();
  for (let life = 1; life <= 200; life += 1) {
    const worker = await rig.worker({ name: "w", instance: `life-${life}`, slots: 4 });
    await rig.live(2_000, worker);
    const running = [...worker.running.values()];
    if (running.length === 0) break;
    const suspected = running.filter(({ task }) => (losses.get(task) ?? 0) >= 2);
    expect(suspected.length).toBeLessThanOrEqual(1);
    for (const { task } of suspected) suspects.add(task);
    const isDying = running.some(({ input }) => input === "poison");
    if (!isDying) {
      const [token] = worker.running.keys();
      await worker.complete(null, token);
    }
    for (const { task } of worker.running.values()) losses.set(task, (losses.get(task) ?? 0) + 1);
  }

  expect(suspects.size).toBeGreaterThan(1);
  expect(await rig.status(poison)).toBe("quarantined");
  for (const id of innocents) expect(await rig.status(id)).toBe("succeeded");
});

test("a suspect that must wait for another does not keep innocents from a free slot", async () => {
  await using rig = await EngineRig.start();
  const suspects = [await rig.submit({ input: "suspect" }), await rig.submit({ input: "suspect" })];
  for (let death = 1; death <= 2; death += 1) {
    await rig.worker({ name: "w", instance: `victim-${death}`, slots: 2 });
    await rig.settle();
  }
  const worker = await rig.worker({ name: "w", instance: "survivor", slots: 2 });
  await rig.submit({ input: "innocent" });
  await rig.live(4_000, worker);
  expect(worker.inputs.toSorted()).toEqual(["innocent", "suspect"]);
  for (let task = 0; task < 3; task += 1) {
    const [token] = worker.running.keys();
    await worker.complete(null, token);
    await rig.live(2_000, worker);
  }
  for (const id of suspects) expect(await rig.status(id)).toBe("succeeded");
});

test("a suspect that was cancelled by force still keeps others away while it runs on", async () => {
  await using rig = await EngineRig.start();
  const first = await rig.submit({ input: "first" });
  await rig.submit({ input: "second" });
  for (let death = 1; death <= 2; death += 1) {
    await rig.worker({ name: "w", instance: `victim-${death}`, slots: 2 });
    await rig.settle();
  }
  const worker = await rig.worker({ name: "w", instance: "survivor", slots: 2 });
  await rig.live(2_000, worker);
  expect(worker.inputs).toEqual(["first"]);
  const { token } = worker.last;
  await rig.service.cancel({ id: first });
  await rig.live(14_000, worker);
  expect(await rig.status(first)).toBe("cancelled");
  expect(worker.inputs).toEqual(["first"]);
  await worker.fail({}, token);
  await rig.live(2_000, worker);
  expect(worker.inputs).toEqual(["first", "second"]);
});
