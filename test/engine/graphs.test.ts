import { describe, expect, test } from "vitest";
import type { GraphTask } from "../../sdk/protocol/graph.ts";
import { chained, expectHealthy, graphOf, run, startBench } from "../support/graph-bench.ts";
import { errorOf } from "../support/outcome.ts";

describe("a graph runs", () => {
  test("one task after the other, each with the output of the one before", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const tasks = {
      a: run("a", { input: { n: 0 } }),
      b: run("b", { input: { from: null }, refs: [{ at: "/from", task: "a", path: "/out" }] }),
      c: run("c", { refs: [{ at: "", task: "b" }] }),
    };
    const { id, status, tasks: ids } = await bench.submit(tasks);
    expect(status).toBe("running");
    expect(Object.keys(ids ?? {})).toEqual(["a", "b", "c"]);
    expect(bench.running).toBe("a");
    expect(await bench.statuses(id)).toBe("a:running b:waiting c:waiting");
    await bench.complete("a", { out: 1 });
    expect(bench.running).toBe("b");
    expect(bench.inputOf("b")).toEqual({ from: 1 });
    await bench.complete("b", "from b");
    expect(bench.inputOf("c")).toBe("from b");
    await bench.complete("c", [3]);
    expect(await rig.service.result({ id })).toEqual({ id, status: "succeeded", output: [3] });
    expect(bench.started).toBe("abc");
    expect(await rig.get(ids?.["b"] ?? "")).toMatchObject({
      input: { from: 1 },
      parent: id,
      root: id,
    });
    await expectHealthy(rig);
  });

  test("and has started when it was made, unless it waits for something itself", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const inner = graphOf({ c: run("c") }, "c");
    const { id, tasks: ids } = await bench.submit({
      a: run("a"),
      b: { graph: inner, after: ["a"] },
    });
    const { createdAt, startedAt } = await rig.get(id);
    expect(startedAt).toBe(createdAt);
    const waiting = await rig.get(ids?.["b"] ?? "");
    expect(waiting).toMatchObject({ status: "waiting" });
    expect(waiting.startedAt).toBeUndefined();
    await rig.live(5_000, bench.worker);
    await bench.complete("a");
    const begun = await rig.get(waiting.id);
    expect(begun.startedAt).toBeGreaterThanOrEqual(waiting.createdAt + 5_000);
    await bench.complete("c");
    expect(await rig.get(waiting.id)).toMatchObject({ startedAt: begun.startedAt });
    expect(await rig.get(id)).toMatchObject({ status: "succeeded", startedAt });
  });

  test("fans out and in", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit({
      ...chained({ a: "", b: "a", c: "a", d: "a" }),
      e: run("e", { refs: [{ at: "", all: [{ task: "b" }, { task: "c" }, { task: "d" }] }] }),
    });
    await bench.complete("a");
    expect(bench.running).toBe("bcd");
    await bench.complete("d", 3);
    await bench.complete("b", 1);
    expect(bench.running).toBe("c");
    await bench.complete("c", 2);
    expect(bench.inputOf("e")).toEqual([1, 2, 3]);
    await bench.complete("e", "sum");
    expect(await rig.service.result({ id })).toMatchObject({ output: "sum" });
    await expectHealthy(rig);
  });

  test("and lets a task go whose dependencies end in the same instant", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit(chained({ a: "", b: "", c: "", d: "abc" }));
    await Promise.all([...bench.worker.running.keys()].map((it) => bench.worker.complete(1, it)));
    await rig.settle();
    expect(bench.running).toBe("d");
    await bench.complete("d");
    expect(await rig.status(id)).toBe("succeeded");
    expect(bench.worker.assignments).toHaveLength(4);
  });

  test("until all of it has ended, although the result is there", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit(chained({ a: "", b: "a", c: "" }), { result: "a" });
    await bench.complete("a", "first");
    await bench.complete("b");
    expect(await rig.status(id)).toBe("running");
    await bench.complete("c");
    expect(await rig.service.result({ id })).toMatchObject({ output: "first" });
  });

  test("with its own input in the inputs of its tasks", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const refs = [{ at: "/x", input: true, path: "/deep" }] as const;
    await bench.submit(
      { a: run("a", { refs }), b: run("b", { refs, after: ["a"] }) },
      { input: { deep: [1] } },
    );
    expect(bench.inputOf("a")).toEqual({ x: [1] });
    await bench.complete("a");
    expect(bench.inputOf("b")).toEqual({ x: [1] });
  });

  test("a task that waits for its start as well", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const startAt = rig.clock.now() + 5_000;
    const { id } = await bench.submit({
      a: run("a"),
      b: run("b", { after: ["a"], startAt } as Partial<GraphTask>),
      c: run("c", { startAt } as Partial<GraphTask>),
    });
    await bench.complete("a");
    expect(await bench.statuses(id)).toBe("a:succeeded b:waiting c:waiting");
    await rig.live(5_200, bench.worker);
    expect(bench.running).toBe("bc");
    await bench.complete("bc", 1);
    expect(await rig.status(id)).toBe("succeeded");
    await expectHealthy(rig);
  });

  test("under a key once, and is another body with another graph", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit(chained({ a: "" }), { idempotencyKey: "k" });
    const again = await bench.submit(chained({ a: "" }), { idempotencyKey: "k" });
    expect(again).toMatchObject({ id, created: false });
    const other = bench.submit(chained({ b: "" }), { idempotencyKey: "k" });
    expect(await errorOf(other)).toMatchObject({ code: "conflict", data: { task: id } });
    expect(bench.started).toBe("a");
  });

  test("with retries of a task in between", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    rig.entropy.fix(0);
    const retry = { maxAttempts: 2, minMs: 0, maxMs: 0 };
    const { id } = await bench.submit({
      a: run("a", { retry } as Partial<GraphTask>),
      b: run("b", { after: ["a"] }),
    });
    await bench.fail("a", { retryable: true });
    await rig.live(1_000, bench.worker);
    expect(bench.running).toBe("a");
    await bench.complete("a");
    await bench.complete("b");
    expect(await rig.status(id)).toBe("succeeded");
  });
});

describe("a failure", () => {
  test("fails those that depend on it, and the whole, and stops nobody else", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id, tasks } = await bench.submit(chained({ a: "", b: "a", c: "b", x: "", y: "x" }));
    await bench.fail("a", { name: "TypeError", message: "no such page", code: "E7" });
    expect(await bench.statuses(id)).toBe("a:failed b:failed c:failed x:running y:waiting");
    expect(await rig.status(id)).toBe("running");
    const { error } = await rig.get(tasks?.["c"] ?? "");
    expect(error).toMatchObject({
      name: "DependencyError",
      code: "dependency-failed",
      message: "a failed: no such page",
      data: { task: tasks?.["a"], name: "a" },
      cause: { name: "TypeError", code: "E7" },
    });
    await bench.complete("x");
    await bench.complete("y");
    expect(await errorOf(rig.service.result({ id }))).toMatchObject({ code: "task-failed" });
    expect(bench.started).toBe("axy");
    await expectHealthy(rig);
  });

  test("goes on as a value, or as nothing, where the graph says so", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit({
      a: run("a", { onFailure: "continue" }),
      b: run("b", { onFailure: "allow" }),
      c: run("c", { refs: [{ at: "", all: { a: { task: "a" }, b: { task: "b" } } }] }),
    });
    await bench.fail("a", { message: "of a" });
    await bench.fail("b");
    expect(bench.inputOf("c")).toMatchObject({ a: { error: { message: "of a" } }, b: null });
    await bench.complete("c", "done");
    expect(await rig.service.result({ id })).toMatchObject({ output: "done" });
  });

  test("of the result that is allowed makes a whole of nothing", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit({ a: run("a", { onFailure: "allow" }) });
    await bench.fail("a");
    expect(await rig.service.result({ id })).toMatchObject({ status: "succeeded", output: null });
  });

  test("that is allowed stops where it was allowed", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit({
      a: run("a", { onFailure: "fail" }),
      b: run("b", { after: ["a"], onFailure: "allow" }),
      c: run("c", { after: ["b"] }),
    });
    await bench.fail("a");
    expect(await bench.statuses(id)).toBe("a:failed b:failed c:running");
    await bench.complete("c");
    expect(await rig.status(id)).toBe("succeeded");
  });
});

describe("a condition", () => {
  test("that does not hold skips its task and what depends on it", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit(
      {
        a: run("a"),
        b: run("b", { when: { task: "a", path: "/go", equals: "b" } }),
        c: run("c", { when: { task: "a", path: "/go", equals: "c" } }),
        d: run("d", { after: ["b"] }),
        e: run("e", { after: ["d"] }),
        f: run("f", { after: ["c"] }),
      },
      { result: "f" },
    );
    await bench.complete("a", { go: "c" });
    expect(bench.running).toBe("c");
    await bench.complete("c");
    await bench.complete("f", "taken");
    expect(await bench.statuses(id)).toBe(
      "a:succeeded b:skipped c:succeeded d:skipped e:skipped f:succeeded",
    );
    expect(await rig.service.result({ id })).toMatchObject({ output: "taken" });
    await expectHealthy(rig);
  });

  test("on the input of the graph is looked at although nothing has to end", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const tasks = {
      a: run("a", { when: { input: true, path: "/a" } }),
      b: run("b", { when: { input: true, path: "/b" } }),
    };
    const { id } = await bench.submit(tasks, { input: { a: 0, b: 1 }, result: "a" });
    expect(bench.running).toBe("b");
    await bench.complete("b");
    expect(await bench.statuses(id)).toBe("a:skipped b:succeeded");
    expect(await rig.service.result({ id })).toMatchObject({ status: "succeeded", output: null });
  });

  test("says why in the journal", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { tasks } = await bench.submit({
      a: run("a", { when: { input: true } }),
      b: run("b", { after: ["a"] }),
    });
    const reasonOf = (name: string) => rig.eventsOf(tasks?.[name] ?? "", "task.skipped");
    expect(await reasonOf("a")).toEqual([{ reason: "its condition did not hold" }]);
    expect(await reasonOf("b")).toEqual([{ reason: "a was skipped" }]);
  });
});
