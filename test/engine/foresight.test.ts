import { describe, expect, test } from "vitest";
import type { Preprocessing } from "../../runtime/ports/preprocessing.ts";
import type { Graph } from "../../sdk/index.ts";
import { EngineRig } from "../support/engine-rig.ts";

const chain: Graph = {
  tasks: {
    first: { definition: "job", input: 1 },
    second: { definition: "job", refs: [{ at: "", task: "first" }] },
  },
  result: "second",
};

describe("a task that the node foresaw", () => {
  test("begins in the commit that ends its last dependency", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ slots: 2 });
    const { id, tasks } = await rig.service.submit({ graph: chain });
    await rig.settle();
    const { sent } = rig.node.store;
    const submits = sent.length;
    await worker.complete(7);
    await rig.settle();
    expect(worker.last).toMatchObject({ task: tasks?.["second"], input: 7 });
    await worker.complete(8);
    await rig.settle();
    expect(sent.slice(submits).map(({ turns }) => turns.map((turn) => turn.id))).toEqual([
      [tasks?.["first"], tasks?.["second"]],
      [tasks?.["second"], id],
    ]);
    expect(await rig.service.result({ id })).toMatchObject({ output: 8 });
    expect(rig.node.store.countOf("graphs.dependenciesOf")).toBe(0);
    expect(await rig.store.doctor()).toEqual([]);
  });

  test("that proves wrong begins by its letter", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ slots: 2 });
    const { id, tasks } = await rig.service.submit({ graph: chain });
    await rig.settle();
    // Another node takes the waiting task, as one that reads a letter to it would.
    const other = await rig.join();
    const { incarnation } = other.engine.life;
    await rig.store.tasks.acquire(incarnation, [tasks?.["second"] ?? ""]);
    expect(await worker.complete(7)).toEqual({ answer: "recorded" });
    await rig.settle();
    expect(worker.assignments).toHaveLength(1);
    await rig.store.tasks.release(incarnation, [tasks?.["second"] ?? ""]);
    await rig.advance(3_000);
    expect(worker.last).toMatchObject({ task: tasks?.["second"], input: 7 });
    await worker.complete(8);
    await rig.advance(3_000);
    expect(await rig.service.result({ id })).toMatchObject({ output: 8 });
    expect(await rig.store.doctor()).toEqual([]);
  });

  test("does not begin when the commit of the end is refused", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ slots: 2 });
    const { tasks } = await rig.service.submit({ graph: chain });
    await rig.settle();
    rig.node.store.plan({ fault: "refused", times: 2 });
    await worker.complete(7).catch(() => {});
    await rig.settle();
    expect(worker.assignments).toHaveLength(1);
    const { token } = worker.last;
    expect(await worker.complete(9, token)).toEqual({ answer: "recorded" });
    await rig.advance(3_000);
    expect(worker.last).toMatchObject({ task: tasks?.["second"], input: 9 });
    expect(await rig.store.doctor()).toEqual([]);
  });

  test("begins once although the answer of the commit was lost", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ slots: 2 });
    await rig.service.submit({ graph: chain });
    await rig.settle();
    rig.node.store.plan({ fault: "lostAnswer" });
    const completed = worker.complete(7);
    await rig.advance(1_000);
    expect(await completed).toEqual({ answer: "recorded" });
    await rig.advance(3_000);
    expect(worker.assignments).toHaveLength(2);
    expect(await rig.store.doctor()).toEqual([]);
  });
});

test("a task with a preprocessor is left to its letter", async () => {
  const preprocessing: Preprocessing = {
    check: () => [],
    run: async ({ input }) => ({ output: `[${input}]`, source: "s", input: "i" }),
    close: async () => {},
  };
  await using rig = await EngineRig.start({ preprocessing });
  const worker = await rig.worker({ slots: 2 });
  const refs = [{ at: "", task: "first", preprocessor: "(x) => [x]" }];
  const second = { definition: "job", refs };
  await rig.service.submit({ graph: { ...chain, tasks: { ...chain.tasks, second } } });
  await rig.settle();
  await worker.complete(7);
  await rig.settle();
  expect(worker.last.input).toEqual([7]);
  expect(rig.node.store.countOf("graphs.dependenciesOf")).toBe(1);
  const events = await rig.store.journal.read(worker.last.task, 0, 10);
  expect(events.map(({ type }) => type)).toEqual([
    "task.submitted",
    "task.resolved",
    "attempt.assigned",
  ]);
  expect(JSON.parse(events[1]?.data ?? "")).toEqual({
    preprocessed: [{ source: "s", input: "i" }],
  });
});

test("a join whose last dependencies end in one batch begins in it, too", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ slots: 4 });
  const { tasks } = await rig.service.submit({
    graph: {
      tasks: {
        a: { definition: "job" },
        b: { definition: "job" },
        both: { definition: "job", refs: [{ at: "", all: [{ task: "a" }, { task: "b" }] }] },
      },
      result: "both",
    },
  });
  await rig.settle();
  const [a, b] = worker.assignments;
  await Promise.all([worker.complete("A", a?.token), worker.complete("B", b?.token)]);
  await rig.settle();
  expect(worker.last).toMatchObject({ task: tasks?.["both"], input: ["A", "B"] });
  expect(rig.node.store.countOf("graphs.dependenciesOf")).toBe(0);
  expect(await rig.store.doctor()).toEqual([]);
});
