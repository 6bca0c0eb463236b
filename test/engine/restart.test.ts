import { describe, expect, test } from "vitest";
import { createClient, task } from "../../sdk/index.ts";
import type { Graph } from "../../sdk/protocol/graph.ts";
import type { Restarted } from "../../sdk/protocol/service.ts";
import { EngineRig } from "../support/engine-rig.ts";
import { GraphWorker, graphOf } from "../support/graph-worker.ts";
import { errorOf } from "../support/outcome.ts";
import { quarantine } from "../support/poison.ts";

const outputOf = (task: string) => ({ refs: [{ task, at: "" }] });

/** A rig with a graph that was worked on until nothing more could be done. */
async function played(graph: Graph, failing: readonly string[]) {
  const rig = await EngineRig.start();
  const worker = await GraphWorker.register(rig);
  for (const name of failing) worker.failing.add(name);
  const { id, tasks = {} } = await rig.service.submit({ graph, input: null });
  await worker.work();
  return {
    rig,
    worker,
    root: id,
    idOf: (name: string) => tasks[name] ?? "",
    restart: (name?: string): Promise<Restarted> =>
      rig.service.restart({ id: name === undefined ? id : (tasks[name] ?? "") }),
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
  };
}

async function statusesOf(rig: EngineRig, root: string): Promise<Record<string, string>> {
  const { tasks } = await rig.service.graph({ id: root });
  return Object.fromEntries(
    tasks.map(({ id, name, status }) => [id === root ? "root" : name, status]),
  );
}

const chain = graphOf({ a: {}, b: outputOf("a"), c: outputOf("b") }, "c");
const diamond = graphOf(
  {
    top: {},
    left: outputOf("top"),
    right: outputOf("top"),
    bottom: { refs: [{ all: [{ task: "left" }, { task: "right" }], at: "" }] },
  },
  "bottom",
);

describe("a task that stands alone is restarted", () => {
  test("with the same input, and its attempts go on counting", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit({ input: { n: 1 }, timeoutMs: 60_000 });
    await worker.fail({ retryable: false });
    await rig.settle();
    const failed = await rig.get(id);
    await rig.live(30_000, worker);
    expect(await rig.service.restart({ id })).toEqual({ id, restarted: 1 });
    await rig.settle();
    const { startedAt } = failed;
    expect(await rig.get(id)).toMatchObject({ status: "running", attempt: 2, startedAt });
    expect(await rig.get(id)).not.toHaveProperty("error");
    expect(await rig.get(id)).not.toHaveProperty("endedAt");
    expect(worker.last).toMatchObject({ input: { n: 1 }, attempt: 2, idempotencyKey: id });
    expect(worker.last.deadlineAt).toBe(rig.clock.now() + 60_000);
    await worker.complete("well");
    expect(await rig.service.result({ id })).toEqual({ id, status: "succeeded", output: "well" });
    expect(await rig.types(id)).toEqual([
      "task.submitted",
      "attempt.assigned",
      "attempt.failed",
      "task.restarted",
      "attempt.assigned",
      "attempt.succeeded",
    ]);
    expect(await rig.store.doctor()).toEqual([]);
  });

  test("with all of its attempts before it", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit({ retry: { maxAttempts: 2, minMs: 10, maxMs: 10 } });
    const failTwice = async () => {
      await worker.fail();
      await rig.advance(1_000);
      await worker.fail();
      await rig.settle();
    };
    await failTwice();
    expect(await rig.status(id)).toBe("failed");
    await rig.service.restart({ id });
    await rig.settle();
    await failTwice();
    expect(await rig.get(id)).toMatchObject({ status: "failed", attempt: 4 });
  });

  test("with what its steps came to, but for one that failed for good", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    const error = { name: "Error", message: "no", retryable: false };
    await worker.step("kept", 1);
    const broken = { token: worker.last.token, step: "broken", occurrence: 1 };
    await rig.service.recordStep({ ...broken, error });
    await worker.fail(error);
    await rig.settle();
    await rig.service.restart({ id });
    await rig.settle();
    expect(worker.last.journal.map(({ data }) => data["step"])).toEqual(["kept"]);
    await worker.step("kept", 1);
    await worker.step("broken", 3);
    await worker.complete("well");
    const outputs = (await rig.eventsOf(id, "step.recorded")).map(({ output }) => output);
    expect(outputs).toEqual([1, undefined, 3]);
  });

  test("after it was cancelled, and after it was quarantined", async () => {
    await using rig = await EngineRig.start();
    const id = await rig.submit();
    await rig.service.cancel({ id });
    await rig.service.restart({ id });
    expect(await rig.status(id)).toBe("ready");
    await rig.service.cancel({ id });
    const poisoned = await quarantine(rig);
    expect(await rig.status(poisoned)).toBe("quarantined");
    await rig.service.restart({ id: poisoned });
    await rig.settle();
    expect(["ready", "running"]).toContain(await rig.status(poisoned));
    expect(await rig.store.doctor()).toEqual([]);
  });

  test("not while it goes on, and not after it succeeded", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    const early = await errorOf(rig.service.restart({ id }));
    expect(early.code).toBe("conflict");
    expect(early.data).toEqual({ task: id, status: "running" });
    await worker.complete(1);
    const late = await errorOf(rig.service.restart({ id }));
    expect([late.code, late.data]).toEqual(["conflict", { task: id, status: "succeeded" }]);
  });
});

describe("a task that was cancelled before its start, restarted in place,", () => {
  const inAnHour = (rig: EngineRig): number => rig.clock.now() + 3_600_000;

  test.each([
    ["waits for that start, on its own", { graph: false }],
    ["waits for that start, in a graph", { graph: true }],
  ])("%s", async (_name, { graph }) => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ slots: 5 });
    const task = { definition: "job", startAt: inAnHour(rig) };
    const root = await rig.service.submit(graph ? { graph: graphOf({ a: task }, "a") } : task);
    const id = root.tasks?.["a"] ?? root.id;
    for (let times = 0; times < 2; times += 1) {
      await rig.service.cancel({ id: root.id });
      await rig.settle();
      expect(await rig.status(id)).toBe("cancelled");
      await rig.service.restart({ id });
      await rig.settle();
      expect(await rig.get(id)).toMatchObject({
        status: "waiting",
        waitingFor: { reason: "start-time" },
      });
    }
    await rig.live(3_590_000, worker);
    expect(worker.assignments).toEqual([]);
    await rig.live(20_000, worker);
    expect(await rig.status(id)).toBe("running");
    expect(await rig.store.doctor()).toEqual([]);
  });

  test("begins at once when that lies in the past by then", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit({ startAt: inAnHour(rig) });
    await rig.service.cancel({ id });
    await rig.live(3_610_000, worker);
    await rig.service.restart({ id });
    await rig.settle();
    expect(await rig.status(id)).toBe("running");
  });
});

describe("a part of a graph is restarted in place", () => {
  test("the end of a chain", async () => {
    await using it = await played(chain, ["c"]);
    expect(await it.restart("c")).toEqual({ id: it.idOf("c"), restarted: 2 });
    await it.worker.work();
    expect(it.worker.done).toEqual(["a", "b", "c", "c"]);
    const { output } = await it.rig.service.result({ id: it.root });
    expect(output).toEqual(["c", ["b", ["a", null]]]);
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("the beginning of a chain, and what failed because of it", async () => {
    await using it = await played(chain, ["a"]);
    expect(await statusesOf(it.rig, it.root)).toEqual({
      root: "failed",
      a: "failed",
      b: "failed",
      c: "failed",
    });
    expect(await it.restart("a")).toMatchObject({ restarted: 4 });
    await it.rig.settle();
    expect(await statusesOf(it.rig, it.root)).toEqual({
      root: "running",
      a: "running",
      b: "waiting",
      c: "waiting",
    });
    await it.worker.work();
    const { output } = await it.rig.service.result({ id: it.root });
    expect(output).toEqual(["c", ["b", ["a", null]]]);
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("one arm of a diamond: the other one's work is kept", async () => {
    await using it = await played(diamond, ["left"]);
    expect(await it.restart("left")).toMatchObject({ restarted: 3 });
    await it.worker.work();
    expect(it.worker.done).toEqual(["top", "left", "right", "left", "bottom"]);
    expect(new Set(Object.values(await statusesOf(it.rig, it.root)))).toEqual(
      new Set(["succeeded"]),
    );
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("one arm, while the other one still runs and its dependent waits", async () => {
    await using rig = await EngineRig.start();
    const worker = await GraphWorker.register(rig);
    worker.failing.add("left");
    const { id, tasks = {} } = await rig.service.submit({ graph: diamond, input: null });
    await rig.settle();
    await worker.finish("top");
    await worker.finish("left");
    expect(await statusesOf(rig, id)).toMatchObject({ left: "failed", bottom: "waiting" });
    await rig.service.restart({ id: tasks["left"] ?? "" });
    await worker.finish("right");
    expect(worker.running).toEqual(["left"]);
    expect(await rig.store.doctor()).toEqual([]);
    await worker.work();
    expect(new Set(Object.values(await statusesOf(rig, id)))).toEqual(new Set(["succeeded"]));
    expect(worker.done).toEqual(["top", "left", "right", "left", "bottom"]);
  });

  test("two arms that failed, one by one", async () => {
    await using it = await played(diamond, ["left", "right"]);
    await it.restart("left");
    await it.worker.work();
    expect(await statusesOf(it.rig, it.root)).toMatchObject({ bottom: "failed", root: "failed" });
    await it.restart("right");
    await it.worker.work();
    expect(await it.rig.status(it.root)).toBe("succeeded");
    expect(it.worker.done.filter((name) => name === "left")).toHaveLength(2);
  });

  test("the whole, by its root: whatever failed goes back, and nothing else", async () => {
    await using it = await played(diamond, ["left", "right"]);
    expect(await it.restart()).toEqual({ id: it.root, restarted: 4 });
    await it.worker.work();
    expect(await it.rig.status(it.root)).toBe("succeeded");
    expect(it.worker.done.filter((name) => name === "top")).toHaveLength(1);
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("a task in a pipeline in a pipeline, up to the root", async () => {
    const inner = graphOf({ a: {}, b: outputOf("a") }, "b");
    const graph = graphOf({ a: {}, p: { graph: inner, ...outputOf("a") }, z: outputOf("p") }, "z");
    await using it = await played(graph, ["b"]);
    const { tasks } = await it.rig.service.graph({ id: it.root });
    const b = tasks.find(({ name }) => name === "b")?.id ?? "";
    expect(await it.rig.service.restart({ id: b })).toEqual({ id: b, restarted: 4 });
    await it.worker.work();
    expect(await it.rig.status(it.root)).toBe("succeeded");
    expect(it.worker.done).toEqual(["a", "a", "b", "b", "z"]);
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("a pipeline in a pipeline that was never laid out", async () => {
    const inner = graphOf({ b: {} }, "b");
    const graph = graphOf({ a: {}, p: { graph: inner, ...outputOf("a") } }, "p");
    await using it = await played(graph, ["a"]);
    expect(await it.restart("a")).toMatchObject({ restarted: 3 });
    await it.worker.work();
    expect(await it.rig.status(it.root)).toBe("succeeded");
    expect(it.worker.done).toEqual(["a", "a", "b"]);
  });

  test("one item of many, under a limit", async () => {
    const each = graphOf({ item: { refs: [{ item: true, at: "" }] } }, "item");
    const input = { items: ["0", "1", "2", "3"] };
    const graph = graphOf({ many: { each, input, limit: 2 } }, "many");
    await using it = await played(graph, ["item 1"]);
    expect(await it.restart()).toMatchObject({ restarted: 3 });
    await it.worker.work();
    const { output } = await it.rig.service.result({ id: it.root });
    expect(output).toEqual(["0", "1", "2", "3"].map((item) => [`item ${item}`, item]));
    expect(it.worker.done.toSorted()).toEqual(["item 0", "item 1", "item 1", "item 2", "item 3"]);
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("an item, and no later one that failed by itself", async () => {
    const each = graphOf({ item: { refs: [{ item: true, at: "" }] } }, "item");
    const graph = graphOf({ many: { each, input: { items: ["0", "1"] }, limit: 1 } }, "many");
    await using it = await played(graph, ["item 0", "item 1"]);
    const { tasks } = await it.rig.service.graph({ id: it.root });
    const id = tasks.find(({ name }) => name === "0.item")?.id ?? "";
    expect(await it.rig.service.restart({ id })).toMatchObject({ restarted: 3 });
    await it.worker.work();
    expect(it.worker.done).toEqual(["item 0", "item 1", "item 0"]);
    expect(await it.rig.status(it.root)).toBe("failed");
    expect(await it.restart()).toMatchObject({ restarted: 3 });
    await it.worker.work();
    expect(await it.rig.status(it.root)).toBe("succeeded");
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("a root that was cancelled while its tasks waited, were ready and ran", async () => {
    await using rig = await EngineRig.start();
    const worker = await GraphWorker.register(rig);
    const { id } = await rig.service.submit({ graph: diamond, input: null });
    await rig.settle();
    await worker.finish("top");
    await rig.service.cancel({ id });
    await worker.work();
    await rig.settle();
    expect(await statusesOf(rig, id)).toEqual({
      root: "cancelled",
      top: "succeeded",
      left: "cancelled",
      right: "cancelled",
      bottom: "cancelled",
    });
    expect(await rig.service.restart({ id })).toEqual({ id, restarted: 4 });
    await worker.work();
    const { output } = await rig.service.result({ id });
    const top = ["top", null];
    expect(output).toEqual([
      "bottom",
      [
        ["left", top],
        ["right", top],
      ],
    ]);
    expect(await rig.store.doctor()).toEqual([]);
  });

  test("a task whose failure was allowed: what went on without it and failed hears of it", async () => {
    const graph = graphOf({ a: { onFailure: "allow" }, b: outputOf("a"), c: outputOf("a") }, "b");
    await using it = await played(graph, ["a", "b"]);
    expect(await it.restart("a")).toMatchObject({ restarted: 3 });
    await it.rig.settle();
    expect(it.worker.running).toEqual(["a"]);
    await it.worker.work();
    const { output } = await it.rig.service.result({ id: it.root });
    expect(output).toEqual(["b", ["a", null]]);
    expect(it.worker.done).toEqual(["a", "b", "c", "a", "b"]);
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("not one whose failure a pipeline that failed was laid out for: a new tree does", async () => {
    const x = graphOf({ x: { refs: [{ input: true, at: "" }] } }, "x");
    const graph = graphOf(
      { a: { onFailure: "continue" }, p: { graph: x, ...outputOf("a") }, b: outputOf("p") },
      "b",
    );
    await using it = await played(graph, ["a", "x"]);
    const { tasks } = await it.rig.service.graph({ id: it.root });
    const idOf = (name: string) => tasks.find((task) => task.name === name)?.id ?? "";
    const data = { task: idOf("p"), from: idOf("a") };
    for (const name of ["a", undefined]) {
      const refused = await errorOf(it.restart(name));
      expect([refused.code, refused.data]).toEqual(["conflict", data]);
    }
    const { id } = await it.rig.service.restart({ id: it.root, mode: "newTree", from: data.from });
    await it.worker.work();
    const { output } = await it.rig.service.result({ id });
    expect(output).toEqual(["b", ["x", ["a", null]]]);
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("what failed by itself in a pipeline that goes on with a failure", async () => {
    const x = graphOf({ x: {} }, "x");
    const graph = graphOf({ a: { onFailure: "continue" }, p: { graph: x, ...outputOf("a") } }, "p");
    await using it = await played(graph, ["a", "x"]);
    expect(await it.restart("p")).toMatchObject({ restarted: 3 });
    await it.worker.work();
    expect(await it.rig.status(it.root)).toBe("succeeded");
    expect(it.worker.done).toEqual(["a", "x", "x"]);
  });

  test("a task under a pipeline that succeeded without it", async () => {
    const graph = graphOf({ a: { onFailure: "allow" } }, "a");
    await using it = await played(graph, ["a"]);
    expect(await it.rig.status(it.root)).toBe("succeeded");
    expect(await it.restart("a")).toMatchObject({ restarted: 1 });
    expect(await it.rig.store.doctor()).toEqual([]);
    await it.worker.work();
    expect(await it.rig.status(it.idOf("a"))).toBe("succeeded");
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("nothing under a root that is being cancelled", async () => {
    await using rig = await EngineRig.start();
    const worker = await GraphWorker.register(rig);
    worker.failing.add("left");
    const { id, tasks = {} } = await rig.service.submit({ graph: diamond, input: null });
    await rig.settle();
    await worker.finish("top");
    await worker.finish("left");
    await rig.service.cancel({ id });
    const refused = await errorOf(rig.service.restart({ id: tasks["left"] ?? "" }));
    expect([refused.code, refused.data["task"]]).toEqual(["conflict", id]);
  });
});

describe("a task that starts others is restarted", () => {
  test("with those that failed, and finds the others as they ended", async () => {
    await using rig = await EngineRig.start();
    const calls: string[] = [];
    const part = task("part", { retry: { maxAttempts: 1 } }, async ({ n }: { n: number }) => {
      calls.push(`part ${n}`);
      if (n === 2 && calls.filter((it) => it === "part 2").length === 1) throw new Error("broke");
      return n;
    });
    const whole = task("whole", { retry: { maxAttempts: 1 } }, async (_: null, ctx) => {
      calls.push("whole");
      return [await ctx.run(part({ n: 1 })), await ctx.run(part({ n: 2 }))];
    });
    const client = createClient(rig.service);
    await client.work([part, whole], { slots: 2 });
    const handle = await client.submit(whole(null));
    await rig.advance(1_000);
    expect(await rig.status(handle.id)).toBe("failed");
    expect(await handle.restart()).toBe(handle);
    await rig.advance(1_000);
    expect(await handle.result()).toEqual([1, 2]);
    // The second child and its parent go on side by side.
    expect(calls.slice(0, 3)).toEqual(["whole", "part 1", "part 2"]);
    expect(calls.slice(3).toSorted()).toEqual(["part 2", "whole"]);
    const again = await handle.restart({ mode: "newTree" });
    expect(again.id).not.toBe(handle.id);
    await rig.advance(1_000);
    expect(await again.result()).toEqual([1, 2]);
    expect(await rig.store.doctor()).toEqual([]);
    await client.close();
  });

  test("not below a task that is cancelled and stays so", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ slots: 5 });
    const id = await rig.submit();
    const parent = { token: worker.last.token, name: "job#1" };
    const child = await rig.service.submit({ definition: "job", parent });
    await rig.service.cancel({ id });
    await rig.advance(15_000);
    expect(await rig.status(child.id)).toBe("cancelled");
    const refused = await errorOf(rig.service.restart({ id: child.id }));
    expect([refused.code, refused.data]).toEqual(["conflict", { task: id, status: "cancelled" }]);
    expect(await rig.service.restart({ id })).toMatchObject({ restarted: 2 });
  });
});

describe("of two who restart at once exactly one wins", () => {
  test("on one node", async () => {
    await using it = await played(diamond, ["left", "right"]);
    const answers = await Promise.allSettled([it.restart(), it.restart(), it.restart()]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([
      "fulfilled",
      "rejected",
      "rejected",
    ]);
    for (const answer of answers) {
      if (answer.status === "rejected") expect(answer.reason.code).toBe("conflict");
    }
    await it.worker.work();
    expect(await it.rig.status(it.root)).toBe("succeeded");
    expect(it.worker.done.filter((name) => name === "left")).toHaveLength(2);
  });

  test("on one node, at tasks that have dependents in common", async () => {
    await using it = await played(diamond, ["left", "right"]);
    const [left, right] = await Promise.all([it.restart("left"), it.restart("right")]);
    expect([left?.restarted, right?.restarted]).toEqual([3, 1]);
    await it.worker.work();
    expect(await it.rig.status(it.root)).toBe("succeeded");
    expect(it.worker.done.toSorted()).toEqual(
      ["top", "left", "left", "right", "right", "bottom"].toSorted(),
    );
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("on two nodes, at tasks that have dependents in common", async () => {
    await using it = await played(diamond, ["left", "right"]);
    const other = await it.rig.join();
    const answers = await Promise.allSettled([
      it.restart("left"),
      other.service.restart({ id: it.idOf("right") }),
      it.restart("left"),
    ]);
    const lost = answers.filter(({ status }) => status === "rejected");
    expect(lost.length).toBeGreaterThanOrEqual(1);
    for (const answer of answers) {
      if (answer.status === "rejected") expect(answer.reason.code).toBe("conflict");
    }
    await it.rig.advance(2_000);
    await it.worker.work();
    expect(await it.rig.store.doctor()).toEqual([]);
    const settled = await statusesOf(it.rig, it.root);
    expect(Object.values(settled)).not.toContain("waiting");
    for (const [name, status] of Object.entries(settled)) {
      if (status === "failed" && name !== "bottom" && name !== "root") await it.restart(name);
    }
    await it.rig.advance(2_000);
    await it.worker.work();
    expect(await it.rig.status(it.root)).toBe("succeeded");
  });

  test("a batch that another node was faster than leaves nothing half restarted", async () => {
    await using it = await played(diamond, ["left", "right"]);
    it.rig.node.store.plan({ fault: "stale" });
    expect(await it.restart()).toMatchObject({ restarted: 4 });
    await it.worker.work();
    expect(await it.rig.status(it.root)).toBe("succeeded");
    expect(await it.rig.store.doctor()).toEqual([]);
  });

  test("a batch that the store refuses is the caller's error, and can be sent again", async () => {
    await using it = await played(diamond, ["left", "right"]);
    it.rig.node.store.plan({ fault: "refused" });
    expect((await errorOf(it.restart())).code).toBe("internal");
    expect(await it.rig.status(it.root)).toBe("failed");
    await it.rig.advance(2_000);
    expect(it.rig.node.engine.life.directory.size).toBe(0);
    expect(await it.restart()).toMatchObject({ restarted: 4 });
    await it.worker.work();
    expect(await it.rig.status(it.root)).toBe("succeeded");
  });
});
