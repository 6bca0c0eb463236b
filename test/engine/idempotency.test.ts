import { expect, test } from "vitest";
import { EngineRig } from "../support/engine-rig.ts";
import { errorOf } from "../support/outcome.ts";

test("the same key and body are the same task, whatever the order of the input's members", async () => {
  await using rig = await EngineRig.start();
  const submit = { definition: "job", idempotencyKey: "k" };
  const first = await rig.service.submit({ ...submit, input: { a: 1, b: [2, { c: 3, d: 4 }] } });
  const again = await rig.service.submit({ ...submit, input: { b: [2, { d: 4, c: 3 }], a: 1 } });
  expect(first.created).toBe(true);
  expect(again).toEqual({ id: first.id, status: "ready", created: false });
  expect((await rig.service.list({})).tasks).toHaveLength(1);
});

test.each([
  ["input", { input: { a: 2 } }],
  ["definition", { definition: "other" }],
  ["version", { version: "2" }],
])("the same key with another %s is a conflict that names the task", async (_name, change) => {
  await using rig = await EngineRig.start();
  const submit = { definition: "job", input: { a: 1 }, idempotencyKey: "k" };
  const { id } = await rig.service.submit(submit);
  const error = await errorOf(rig.service.submit({ ...submit, ...change }));
  expect(error.code).toBe("conflict");
  expect(error.data).toEqual({ task: id, key: "k" });
  expect((await rig.service.list({})).tasks).toHaveLength(1);
});

test("what is not part of the body may differ", async () => {
  await using rig = await EngineRig.start();
  const submit = { definition: "job", idempotencyKey: "k" };
  const { id } = await rig.service.submit(submit);
  const again = await rig.service.submit({ ...submit, priority: 1, labels: { a: "b" } });
  expect(again).toMatchObject({ id, created: false });
});

test("a key is known after its task has ended, and its run answers at once", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit({ idempotencyKey: "k" });
  await worker.complete("kept");
  const again = await rig.service.run({ definition: "job", idempotencyKey: "k" });
  expect(again).toEqual({ id, status: "succeeded", output: "kept" });
  expect(worker.assignments).toHaveLength(1);
});

test("a hundred equal submits at once are one task, and all of them get its output", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ slots: 100 });
  const submit = { definition: "job", input: 1, idempotencyKey: "k" };
  const submits = Array.from({ length: 100 }, () => rig.service.submit(submit));
  const runs = Array.from({ length: 100 }, () => rig.service.run(submit));
  const submitted = await Promise.all(submits);
  expect(new Set(submitted.map(({ id }) => id)).size).toBe(1);
  expect(submitted.filter(({ created }) => created)).toHaveLength(1);
  await rig.settle();
  expect(worker.assignments).toHaveLength(1);
  await worker.complete("once");
  for (const { output } of await Promise.all(runs)) expect(output).toBe("once");
});

test("equal submits on two nodes are one task", async () => {
  await using rig = await EngineRig.start();
  const other = await rig.join();
  const submit = { definition: "job", input: 1, idempotencyKey: "k" };
  const services = [rig.service, other.service];
  const submitted = await Promise.all(
    Array.from({ length: 40 }, (_, index) => services[index % 2]?.submit(submit)),
  );
  expect(new Set(submitted.map((each) => each?.id)).size).toBe(1);
  expect(submitted.filter((each) => each?.created)).toHaveLength(1);
});

test("the same key in another namespace is another task", async () => {
  await using rig = await EngineRig.start();
  const id = await rig.submit({ idempotencyKey: "k" });
  const other = rig.node.serviceOf("other");
  const theirs = await other.submit({ definition: "job", idempotencyKey: "k" });
  expect(theirs).toMatchObject({ created: true });
  expect(theirs.id).not.toBe(id);
});

test("a loser that had been given a slot gives it back", async () => {
  await using rig = await EngineRig.start();
  const other = await rig.join();
  await other.service.submit({ definition: "elsewhere", idempotencyKey: "k" });
  const worker = await rig.worker({ definitions: [{ name: "job" }, { name: "elsewhere" }] });
  await rig.settle();
  await worker.complete();
  // The slot is free and the head quiet, so that the loser is placed before its key is judged.
  const error = await errorOf(rig.service.submit({ definition: "job", idempotencyKey: "k" }));
  expect(error.code).toBe("conflict");
  expect(rig.node.engine.life.pool.get(worker.id)?.holdings.size).toBe(0);
  await rig.submit({ input: "next" });
  expect(worker.last.input).toBe("next");
  expect(rig.node.engine.life.directory.size).toBe(1);
});

test("losers in one batch with their winner leave one slot taken", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ slots: 2 });
  await rig.settle();
  const submit = { definition: "job", idempotencyKey: "k" };
  await Promise.all([rig.service.submit(submit), rig.service.submit(submit)]);
  await rig.settle();
  expect(worker.assignments).toHaveLength(1);
  expect(rig.node.engine.life.pool.get(worker.id)?.holdings.size).toBe(1);
});
