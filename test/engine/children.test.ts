import { expect, test } from "vitest";
import { createClient, task } from "../../sdk/index.ts";
import { EngineRig } from "../support/engine-rig.ts";
import { errorOf, watch } from "../support/outcome.ts";
import type { ScriptedWorker } from "../support/scripted-worker.ts";

const job = "job";

test("the same place is the same child, whichever attempt asks", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ slots: 5 });
  const parent = await rig.submit({ retry: { maxAttempts: 2, minMs: 10 } });
  await rig.settle();
  const first = await rig.service.submit(childOf(worker.last.token, "job#1"));
  await rig.settle();
  await worker.fail({ name: "Error", message: "again" }, tokenOf(worker, parent));
  await rig.advance(1_000);
  const again = await rig.service.submit(childOf(tokenOf(worker, parent), "job#1"));
  expect(again).toEqual({ ...first, status: expect.any(String), created: false });
  const view = await rig.service.get({ id: first.id });
  expect(view).toMatchObject({ parent, root: parent });
  const other = rig.service.submit({ ...childOf(tokenOf(worker, parent), "job#1"), input: 2 });
  expect((await errorOf(other)).code).toBe("mismatch");
  expect(await rig.store.doctor()).toEqual([]);
});

test("a child has a name in place of a key, and none of both", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ slots: 5 });
  await rig.submit();
  await rig.settle();
  const child = childOf(worker.last.token, "job#1");
  const graph = { tasks: { a: { definition: job } }, result: "a" };
  for (const keyed of [
    { ...child, idempotencyKey: "k" },
    { graph, parent: child.parent, idempotencyKey: "k" },
  ]) {
    const error = await errorOf(rig.service.submit(keyed));
    expect(error).toMatchObject({ code: "invalid-params", data: { path: "idempotencyKey" } });
  }
  expect((await rig.service.list({})).tasks).toHaveLength(1);
});

test("an attempt that is over has no more children", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ slots: 5 });
  await rig.submit();
  await rig.settle();
  const { token } = worker.last;
  await worker.complete(1);
  await rig.settle();
  expect((await errorOf(rig.service.submit(childOf(token, "job#1")))).code).toBe("task-cancelled");
  const forged = childOf("00000000-0000-7000-8000-000000000000.1.abc", "job#1");
  expect((await errorOf(rig.service.submit(forged))).code).toBe("task-cancelled");
  expect((await errorOf(rig.service.submit(childOf("x", "job#1")))).code).toBe("invalid-params");
});

test.each([
  ["cancelled", async ({ rig, id }: Ending) => void (await rig.service.cancel({ id }))],
  ["completed", async ({ worker }: Ending) => void (await worker.complete(1))],
  ["out of time", async ({ rig, worker }: Ending) => rig.live(25_000, worker)],
])("a parent that is %s meanwhile has no such child", async (_name, end) => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ slots: 5 });
  const id = await rig.submit({ timeoutMs: 20_000 });
  await rig.settle();
  const release = rig.node.store.holdAnswers("graphs.size");
  const child = errorOf(rig.service.submit(childOf(worker.last.token, "job#1")));
  await rig.settle();
  await end({ rig, worker, id });
  release();
  await rig.settle();
  expect((await child).code).toBe("task-cancelled");
  expect((await rig.service.list({ root: id })).tasks).toHaveLength(1);
  expect(await rig.store.doctor()).toEqual([]);
});

test("cancelling a parent cancels what is under it", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ slots: 1 });
  const parent = await rig.submit();
  await rig.settle();
  await rig.service.submit(childOf(worker.last.token, "job#1"));
  await rig.service.submit({
    graph: { tasks: { a: { definition: job }, b: { definition: job, after: ["a"] } }, result: "b" },
    parent: { token: worker.last.token, name: "graph#1" },
  });
  await rig.service.cancel({ id: parent });
  await rig.advance(15_000);
  const statuses = (await rig.service.list({ root: parent })).tasks.map(({ status }) => status);
  expect(statuses).toEqual(Array(5).fill("cancelled"));
  expect(await rig.store.doctor()).toEqual([]);
});

test("a parent that waits lends its slot, so that one slot is enough for a deep tree", async () => {
  await using rig = await EngineRig.start();
  const deep = task("deep", {}, async ({ n }: { n: number }, ctx): Promise<number> => {
    if (n === 0) return 0;
    return 1 + (await ctx.run(deep({ n: n - 1 })));
  });
  const client = createClient(rig.service);
  await client.work([deep], { slots: 1 });
  const seen = watch(client.run(deep({ n: 8 })));
  await rig.advance(2_000);
  expect(seen.value).toBe(8);
  const [worker] = await client.workers();
  expect(worker?.running).toBe(0);
  await client.close();
});

test("a tree that is too deep is refused, with the limit", async () => {
  await using rig = await EngineRig.start();
  const deep = task("deep", {}, async ({ n }: { n: number }, ctx): Promise<number> => {
    return 1 + (await ctx.run(deep({ n: n + 1 })));
  });
  const client = createClient(rig.service);
  await client.work([deep], { slots: 1 });
  const seen = watch(client.run(deep({ n: 0 })));
  await rig.advance(5_000);
  expect(String(seen.error)).toMatch(/at most 16 deep/);
  expect((await rig.service.list({ limit: 100 })).tasks).toHaveLength(17);
  await client.close();
});

test("a slot is lent no more than to a thousand, and only by whoever holds it", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ slots: 1 });
  const parent = await rig.submit();
  await rig.settle();
  const token = tokenOf(worker, parent);
  expect(await rig.service.suspend({ token })).toEqual({ accepted: true });
  expect(await rig.service.suspend({ token })).toEqual({ accepted: true });
  expect(await rig.service.suspend({ token: "nobody's" })).toEqual({ accepted: false });
  await rig.submit();
  await rig.settle();
  expect(worker.assignments).toHaveLength(2);
  await rig.service.resume({ token });
  await rig.submit();
  await rig.settle();
  expect(worker.assignments).toHaveLength(2);
  await worker.complete(1, token);
  await rig.settle();
  expect(worker.assignments).toHaveLength(2);
  await worker.complete(1, worker.last.token);
  await rig.settle();
  expect(worker.assignments).toHaveLength(3);
});

test("a slot that was lent stays so when its node begins another life", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ slots: 1 });
  const parent = await rig.submit();
  await rig.settle();
  expect(await rig.service.suspend({ token: tokenOf(worker, parent) })).toEqual({ accepted: true });
  await rig.store.nodes.remove(rig.node.engine.life.incarnation);
  await rig.live(6_000, worker);
  await rig.submit({ input: "the child that it waits for" });
  await rig.settle();
  expect(worker.inputs).toContain("the child that it waits for");
});

test("a slot that was lent is lent no more when the attempt that lent it is over", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ name: "w", slots: 1 });
  const parent = await rig.submit({ attemptTimeoutMs: 1_000 });
  const token = tokenOf(worker, parent);
  await rig.service.suspend({ token });
  await rig.advance(1_500);
  expect(await rig.status(parent)).toBe("failed");
  await worker.registerOn(rig.service, { name: "w" });
  expect(worker.link.registered.drop).toEqual([token]);
  await worker.complete(1, token);
  await rig.submit();
  await rig.submit();
  expect(worker.mostRunning).toBe(1);
  expect(worker.assignments).toHaveLength(2);
});

interface Ending {
  readonly rig: EngineRig;
  readonly worker: ScriptedWorker;
  readonly id: string;
}

function childOf(token: string, name: string) {
  return { definition: job, input: 1, parent: { token, name } };
}

function tokenOf(worker: ScriptedWorker, task: string): string {
  return worker.assignments.findLast((it) => it.task === task)?.token ?? "";
}
