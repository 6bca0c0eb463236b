import { describe, expect, test } from "vitest";
import type { Graph } from "../../sdk/protocol/graph.ts";
import { EngineRig } from "../support/engine-rig.ts";
import { GraphWorker, graphOf } from "../support/graph-worker.ts";
import { errorOf } from "../support/outcome.ts";

const outputOf = (task: string) => ({ refs: [{ task, at: "" }] });

const diamond = graphOf(
  {
    top: {},
    left: outputOf("top"),
    right: outputOf("top"),
    bottom: { refs: [{ all: [{ task: "left" }, { task: "right" }], at: "" }] },
  },
  "bottom",
);

async function played(graph: Graph, failing: readonly string[] = []) {
  const rig = await EngineRig.start();
  const worker = await GraphWorker.register(rig);
  for (const name of failing) worker.failing.add(name);
  const { id: root } = await rig.service.submit({
    graph,
    input: { n: 1 },
    labels: { of: "tree" },
    idempotencyKey: "once",
  });
  await worker.work();
  worker.done.length = 0;
  const { tasks } = await rig.service.graph({ id: root });
  const idOf = (name: string) => tasks.find((task) => task.name === name)?.id ?? "";
  return {
    rig,
    worker,
    root,
    idOf,
    newTree: (from?: string) =>
      rig.service.restart({
        id: root,
        mode: "newTree",
        ...(from === undefined ? {} : { from: idOf(from) }),
      }),
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
  };
}

async function statusesOf(rig: EngineRig, root: string): Promise<Record<string, string>> {
  const { tasks } = await rig.service.graph({ id: root });
  return Object.fromEntries(tasks.map((it) => [it.id === root ? "root" : it.name, it.status]));
}

async function reusedIn(rig: EngineRig, root: string): Promise<string[]> {
  const { tasks } = await rig.service.graph({ id: root });
  const types = await Promise.all(tasks.map(({ id }) => rig.types(id)));
  return tasks.filter((_, index) => types[index]?.[0] === "task.reused").map(({ name }) => name);
}

describe("a root is done again as a new tree", () => {
  test("of a task that stands alone, as it was submitted", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const asked = { retry: { maxAttempts: 1 }, timeoutMs: 60_000 };
    const old = await rig.submit({ input: [1], priority: 3, labels: { a: "b" }, ...asked });
    await worker.fail();
    await rig.settle();
    const { id, restarted } = await rig.service.restart({ id: old, mode: "newTree" });
    expect(restarted).toBe(1);
    await rig.settle();
    const shared = { input: [1], priority: 3, labels: { a: "b" }, restartRoot: old };
    expect(await rig.get(id)).toMatchObject({ ...shared, restartOf: old, root: id, attempt: 1 });
    expect((await rig.eventsOf(id, "task.submitted"))[0]).toMatchObject({ asked });
    await worker.fail();
    const next = await rig.service.restart({ id, mode: "newTree" });
    expect(await rig.get(next.id)).toMatchObject({ ...shared, restartOf: id, root: next.id });
    const chain = await rig.service.list({ restartRoot: old, orderBy: "createdAt" });
    expect(chain.tasks.map((task) => task.id)).toEqual([old, id, next.id]);
    expect(await rig.status(old)).toBe("failed");
    expect(await rig.store.doctor()).toEqual([]);
  });

  test("of a graph, with nothing reused", async () => {
    await using it = await played(diamond, ["left"]);
    const { id, restarted } = await it.newTree();
    expect(restarted).toBe(5);
    await it.worker.work();
    expect(it.worker.done).toEqual(["top", "left", "right", "bottom"]);
    expect(await it.rig.get(id)).toMatchObject({
      status: "succeeded",
      input: { n: 1 },
      labels: { of: "tree" },
      restartOf: it.root,
    });
    expect(await it.rig.get(id)).not.toHaveProperty("key");
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("of a root that succeeded, but of none that has not ended", async () => {
    await using it = await played(diamond);
    const { id } = await it.newTree();
    const early = await errorOf(it.rig.service.restart({ id, mode: "newTree" }));
    expect([early.code, early.data]).toEqual(["conflict", { task: id, status: "running" }]);
    const strange = it.rig.service.restart({ id: it.root, mode: "newTree", from: id });
    expect((await errorOf(strange)).code).toBe("invalid-params");
  });

  test("by exactly one of two who ask at once; the other hears which it is", async () => {
    await using it = await played(diamond, ["left"]);
    const other = await it.rig.join();
    const answers = await Promise.allSettled([
      it.newTree(),
      other.service.restart({ id: it.root, mode: "newTree" }),
      it.newTree("left"),
    ]);
    const won = answers.flatMap((it) => (it.status === "fulfilled" ? it.value.id : []));
    expect(won).toHaveLength(1);
    for (const answer of answers) {
      if (answer.status === "fulfilled") continue;
      expect(answer.reason.code).toBe("conflict");
      expect(answer.reason.data).toEqual({ task: it.root, restarted: won[0] });
    }
    expect((await it.rig.service.list({ restartRoot: it.root })).tasks).toHaveLength(2);
    expect(it.rig.node.engine.life.directory.size).toBeLessThanOrEqual(1);
    expect(await it.rig.store.doctor()).toEqual([]);
  });
});

test("of a restart in place and a new tree at once exactly one wins", async () => {
  for (const isFirst of [true, false]) {
    await using it = await played(diamond, ["left"]);
    const other = await it.rig.join();
    const inPlace = () => other.service.restart({ id: it.root });
    const asked = isFirst ? [inPlace(), it.newTree()] : [it.newTree(), inPlace()];
    const answers = await Promise.allSettled(asked);
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const refused = answers.find((answer) => answer.status === "rejected");
    expect(refused?.reason.code).toBe("conflict");
    // What the other node lets go on is found by this one's polls.
    await it.rig.advance(3_000);
    await it.worker.work();
    expect(it.worker.done.filter((name) => name === "left")).toHaveLength(1);
    expect(await it.rig.store.doctor()).toEqual([]);
  }
});

test("what was done again is not restarted in place", async () => {
  await using it = await played(diamond, ["left"]);
  const { id } = await it.newTree();
  await it.worker.work();
  const refused = await errorOf(it.rig.service.restart({ id: it.root }));
  expect([refused.code, refused.data]).toEqual(["conflict", { task: it.root, restarted: id }]);
});

describe("a tree is done again from one of its tasks", () => {
  test("with that and what depends on it; the rest is reused", async () => {
    await using it = await played(diamond);
    const { id, restarted } = await it.newTree("left");
    expect(restarted).toBe(3);
    await it.rig.settle();
    expect(await it.rig.store.doctor()).toEqual([]);
    await it.worker.work();
    expect(it.worker.done).toEqual(["left", "bottom"]);
    expect((await reusedIn(it.rig, id)).toSorted()).toEqual(["right", "top"]);
    const [old, renewed] = await Promise.all([it.rig.get(it.root), it.rig.get(id)]);
    expect(renewed).toMatchObject({ status: "succeeded", output: old.output });
    const { tasks, edges } = await it.rig.service.graph({ id });
    expect(tasks).toHaveLength(5);
    // What is reused waits for nothing.
    expect(edges.filter(({ to }) => to !== id)).toHaveLength(3);
    const top = tasks.find(({ name }) => name === "top")?.id ?? "";
    expect((await it.rig.eventsOf(top, "task.reused"))[0]).toMatchObject({ of: it.idOf("top") });
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("with what had failed as well", async () => {
    await using it = await played(diamond, ["right"]);
    const { id } = await it.newTree("left");
    await it.worker.work();
    expect(it.worker.done.toSorted()).toEqual(["bottom", "left", "right"]);
    expect(await statusesOf(it.rig, id)).toEqual({
      root: "succeeded",
      top: "succeeded",
      left: "succeeded",
      right: "succeeded",
      bottom: "succeeded",
    });
  });

  test("inside a pipeline in a pipeline, which is opened for it", async () => {
    const inner = graphOf({ x: {}, y: outputOf("x"), z: outputOf("y") }, "z");
    const graph = graphOf(
      { a: {}, p: { graph: inner, ...outputOf("a") }, q: { graph: inner }, b: outputOf("p") },
      "b",
    );
    await using it = await played(graph);
    const { tasks } = await it.rig.service.graph({ id: it.root });
    const p = it.idOf("p");
    const y = tasks.find(({ name, parent }) => name === "y" && parent === p)?.id ?? "";
    const { id, restarted } = await it.rig.service.restart({
      id: it.root,
      mode: "newTree",
      from: y,
    });
    expect(restarted).toBe(5);
    await it.worker.work();
    expect(it.worker.done).toEqual(["y", "z", "b"]);
    expect((await reusedIn(it.rig, id)).toSorted()).toEqual(["a", "q", "x"]);
    const [old, renewed] = await Promise.all([it.rig.get(it.root), it.rig.get(id)]);
    expect(renewed).toMatchObject({ status: "succeeded", output: old.output });
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("inside a registered pipeline, which keeps its version and has its time again", async () => {
    await using rig = await EngineRig.start();
    const worker = await GraphWorker.register(rig);
    const inner = graphOf({ x: {}, y: outputOf("x") }, "y");
    const { version } = await rig.service.registerPipeline({ name: "media", graph: inner });
    const timeoutMs = 60_000;
    const graph = graphOf(
      { p: { definition: "media", timeoutMs }, q: { definition: "media", ...outputOf("p") } },
      "q",
    );
    const { id: old } = await rig.service.submit({ graph });
    await worker.work();
    await rig.advance(1_000);
    const before = await rig.service.graph({ id: old });
    const p = before.tasks.find(({ name }) => name === "p")?.id;
    const from = before.tasks.find(({ name, parent }) => name === "y" && parent === p)?.id ?? "";
    const { id } = await rig.service.restart({ id: old, mode: "newTree", from });
    await worker.work();
    expect(worker.done).toEqual(["x", "y", "x", "y", "y", "x", "y"]);
    const { tasks } = await rig.service.graph({ id });
    const submits = await Promise.all(
      ["p", "q"].map(async (name) => {
        const part = tasks.find((it) => it.name === name)?.id ?? "";
        return (await rig.eventsOf(part, "task.submitted"))[0];
      }),
    );
    const deadlineAt = rig.clock.now() + timeoutMs;
    expect(submits).toMatchObject([{ version, asked: { timeoutMs }, deadlineAt }, { version }]);
    expect(await rig.store.doctor()).toEqual([]);
  });

  test("a whole pipeline in it, which is laid out anew", async () => {
    const inner = graphOf({ x: {}, y: outputOf("x") }, "y");
    const graph = graphOf({ a: {}, p: { graph: inner, ...outputOf("a") } }, "p");
    await using it = await played(graph);
    const { id } = await it.newTree("p");
    await it.worker.work();
    expect(it.worker.done).toEqual(["x", "y"]);
    expect(await it.rig.status(id)).toBe("succeeded");
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("one item of many", async () => {
    const each = graphOf({ item: { refs: [{ item: true, at: "" }] } }, "item");
    const input = { items: ["0", "1", "2", "3"] };
    const graph = graphOf({ many: { each, input, limit: 2 } }, "many");
    await using it = await played(graph, ["item 1"]);
    const { id } = await it.newTree("1.item");
    await it.worker.work();
    const { output } = await it.rig.service.result({ id });
    expect(output).toEqual(["0", "1", "2", "3"].map((item) => [`item ${item}`, item]));
    // The limit made the fourth wait for the second, but it takes nothing from it.
    expect(it.worker.done).toEqual(["item 1"]);
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("the first of many items, one after the other", async () => {
    const each = graphOf(
      { item: { refs: [{ item: true, at: "" }] }, next: outputOf("item") },
      "next",
    );
    const input = { items: ["0", "1", "2", "3"] };
    await using it = await played(graphOf({ many: { each, input, limit: 1 } }, "many"));
    const { id, restarted } = await it.newTree("0.item");
    expect(restarted).toBe(4);
    await it.worker.work();
    expect(it.worker.done).toEqual(["item 0", "next"]);
    expect(await it.rig.status(id)).toBe("succeeded");
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("beside a pipeline in which a branch was not taken, and what came after it", async () => {
    const never = { when: { input: true, equals: "never" } } as const;
    const inner = graphOf({ y: never, x: {} }, "x");
    const graph = graphOf({ opt: { graph: inner }, pay: { after: ["opt"] }, bad: {} }, "pay");
    await using it = await played(graph, ["bad"]);
    const { id } = await it.newTree("bad");
    await it.worker.work();
    expect(it.worker.done).toEqual(["bad"]);
    expect((await reusedIn(it.rig, id)).toSorted()).toEqual(["opt", "pay"]);
    expect(await it.rig.status(id)).toBe("succeeded");
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("beside tasks that were skipped, and are so again unless what they depend on is changed", async () => {
    const never = { when: { input: true, equals: "never" } } as const;
    const graph = graphOf(
      {
        a: {},
        bad: {},
        skipped: { ...never, ...outputOf("a") },
        after: { graph: graphOf({ x: {} }, "x"), ...outputOf("skipped") },
        both: { refs: [{ all: [{ task: "skipped" }, { task: "bad" }], at: "" }] },
        wanted: { when: { task: "bad" } },
        end: { after: ["a"] },
      },
      "end",
    );
    await using it = await played(graph, ["bad"]);
    const { id, restarted } = await it.newTree("bad");
    // Itself, the root, and what depends on it: "skipped" and "after" are no more done than before.
    expect(restarted).toBe(4);
    await it.worker.work();
    expect(it.worker.done).toEqual(["bad", "wanted"]);
    expect((await reusedIn(it.rig, id)).toSorted()).toEqual(["a", "end"]);
    expect(await statusesOf(it.rig, id)).toEqual({
      root: "succeeded",
      a: "succeeded",
      bad: "succeeded",
      skipped: "skipped",
      after: "skipped",
      both: "skipped",
      wanted: "succeeded",
      end: "succeeded",
    });
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("its root: nothing is reused", async () => {
    await using it = await played(diamond);
    const { id } = await it.rig.service.restart({ id: it.root, mode: "newTree", from: it.root });
    await it.worker.work();
    expect(it.worker.done).toHaveLength(4);
    expect(await reusedIn(it.rig, id)).toEqual([]);
  });
});
