import { expect, test } from "vitest";
import { startNode } from "../../runtime/node.ts";
import { silentLog } from "../../runtime/ports/log.ts";
import { createMemoryStore } from "../../runtime/store/memory/index.ts";
import { EngineRig } from "../support/engine-rig.ts";
import { Listener } from "../support/listener.ts";
import { errorOf, watch } from "../support/outcome.ts";
import { ScriptedWorker } from "../support/scripted-worker.ts";
import { createSeededEntropy } from "../support/seeded-entropy.ts";
import { createSteppedClock } from "../support/stepped-clock.ts";

test("a node that stops commits what is decided and gives its lease back", async () => {
  await using rig = await EngineRig.start();
  // Served here, by a worker that is busy: they go to the queue without anybody being asked.
  await rig.worker({ slots: 1 });
  await rig.submit();
  const submits = Array.from({ length: 1_000 }, () => rig.service.submit({ definition: "job" }));
  await rig.node.engine.stop();
  const ids = (await Promise.all(submits)).map(({ id }) => id);
  expect(await rig.store.tasks.readMany(ids)).toHaveLength(1_000);
  expect(await rig.store.nodes.list()).toEqual([]);
  expect(await rig.store.doctor()).toEqual([]);
});

test("what it had in hand runs on the next node", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ name: "w", slots: 2 });
  const running = await rig.submit({ input: "running" });
  const claimed = [];
  for (let input = 0; input < 5; input += 1) claimed.push(await rig.submit({ input }));
  await rig.node.engine.stop();
  expect((await errorOf(rig.service.submit({ definition: "job" }))).code).toBe("shutting-down");
  expect((await errorOf(worker.complete())).code).toBe("shutting-down");
  const next = await rig.join();
  const [token] = worker.assignments.map((each) => each.token);
  await worker.registerOn(next.service, {
    name: "w",
    slots: 2,
    attempts: worker.assignments.map((each) => each.token),
  });
  expect(worker.link.registered.keep).toContain(token);
  for (let task = 0; task < 6; task += 1) {
    const [assignment] = worker.assignments.slice(task);
    await worker.complete(task, assignment?.token);
    await rig.settle();
  }
  for (const id of [running, ...claimed]) {
    expect(await next.service.get({ id })).toMatchObject({ status: "succeeded", attempt: 1 });
  }
  expect(await rig.store.doctor()).toEqual([]);
});

test("whoever waits or listens is told", async () => {
  await using rig = await EngineRig.start();
  await rig.worker();
  const run = watch(rig.service.run({ definition: "job" }));
  await rig.settle();
  const [task] = (await rig.service.list({})).tasks;
  const listener = new Listener();
  await rig.service.subscribe({ id: task?.id ?? "" }, listener);
  await rig.settle();
  await rig.node.engine.stop();
  await rig.settle();
  expect(listener.ends).toEqual(["shutdown"]);
  expect(run.error).toMatchObject({ code: "shutting-down" });
  expect(rig.node.engine.audience.attended()).toEqual([]);
});

test.each(["timers.takeDue", "timers.untilNext"] as const)(
  "a round that waits for the database does not hold it up for ever: %s",
  async (call) => {
    await using rig = await EngineRig.start();
    const release = rig.node.store.holdAnswers(call);
    await rig.advance(3_000);
    const stopped = watch(rig.node.engine.stop().then(() => "stopped"));
    await rig.advance(9_000);
    expect(stopped.value).toBeUndefined();
    await rig.advance(1_000);
    expect(stopped.value).toBe("stopped");
    expect(await rig.store.nodes.list()).toEqual([]);
    release();
    await rig.advance(2_000);
    expect(rig.clock.alarmCount).toBe(0);
  },
);

test("nothing of it runs any more", async () => {
  await using rig = await EngineRig.start();
  await rig.worker();
  await rig.submit({ attemptTimeoutMs: 60_000 });
  await rig.node.engine.stop();
  await rig.advance(2_000);
  expect(rig.clock.alarmCount).toBe(0);
});

test("a stop while it begins again under a new incarnation stops that one too", async () => {
  await using rig = await EngineRig.start();
  await rig.store.nodes.remove(rig.node.engine.life.incarnation);
  const release = rig.node.store.holdAnswers("nodes.enlist");
  await rig.advance(2_600);
  const stopped = watch(rig.node.engine.stop().then(() => "stopped"));
  await rig.settle();
  release();
  await rig.settle();
  expect(stopped.value).toBe("stopped");
  await rig.advance(2_000);
  expect(await rig.store.nodes.list()).toEqual([]);
  expect(rig.clock.alarmCount).toBe(0);
});

test("a node as others use it: services by namespace, readiness, a stop that may be repeated", async () => {
  const clock = createSteppedClock();
  const store = createMemoryStore({ clock });
  const entropy = createSeededEntropy();
  const node = await startNode({ store, clock, entropy, log: silentLog });
  expect(node.instance).toContain(`:${process.pid}:`);
  expect(await node.isReady()).toBe(true);
  const worker = await ScriptedWorker.register(node.service("a"));
  const result = node.service("a").run({ definition: "job" });
  await clock.settle();
  await worker.complete("done");
  expect(await result).toMatchObject({ output: "done" });
  expect((await node.service("a").list({})).tasks).toMatchObject([{ output: "done" }]);
  expect((await node.service("b").list({})).tasks).toEqual([]);
  await Promise.all([node.stop(), node.stop()]);
  expect(await node.isReady()).toBe(false);
});
