import { describe, expect, test } from "vitest";
import type { GraphTask } from "../../sdk/protocol/graph.ts";
import { limits } from "../../sdk/protocol/limits.ts";
import { chained, expectHealthy, graphOf, run, startBench } from "../support/graph-bench.ts";
import { errorOf } from "../support/outcome.ts";

describe("a graph within a graph", () => {
  const inner = graphOf({
    x: run("x", { refs: [{ at: "", input: true }] }),
    ...chained({ y: "x" }),
  });

  test("sees its own input only, and gives the output of its result", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit({
      a: run("a"),
      p: { graph: inner, input: { from: null }, refs: [{ at: "/from", task: "a" }] },
      b: run("b", { refs: [{ at: "", task: "p" }] }),
    });
    expect(bench.running).toBe("a");
    await bench.complete("a", 5);
    expect(bench.inputOf("x")).toEqual({ from: 5 });
    await bench.complete("x");
    await bench.complete("y", "inner result");
    expect(bench.inputOf("b")).toBe("inner result");
    await bench.complete("b");
    expect(await rig.status(id)).toBe("succeeded");
    expect(await bench.statuses(id)).toBe(
      "a:succeeded b:succeeded p:succeeded x:succeeded y:succeeded",
    );
    await expectHealthy(rig);
  });

  test("fails with what fails in it, to which the policy of the whole applies", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit({
      p: { graph: inner, onFailure: "allow" },
      b: run("b", { after: ["p"] }),
    });
    await bench.fail("x");
    expect(await bench.statuses(id)).toBe("b:running p:failed x:failed y:failed");
    await bench.complete("b");
    expect(await rig.status(id)).toBe("succeeded");
  });

  test("is skipped without being laid out", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit({ p: { graph: inner, when: { input: true } } });
    expect(await bench.statuses(id)).toBe("p:skipped");
    expect(await rig.status(id)).toBe("succeeded");
  });

  test("may lie sixteen deep", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    let deep = graphOf({ x: run("x") });
    for (let depth = 1; depth < limits.treeDepthMax; depth += 1)
      deep = graphOf({ p: { graph: deep } });
    const { id } = await bench.submit(deep.tasks);
    await bench.complete("x", "from below");
    expect(await rig.service.result({ id })).toMatchObject({ output: "from below" });
    // What could only fail when it comes to the deepest is refused at once.
    const deeper = await errorOf(bench.submit({ p: { graph: deep } }));
    expect(deeper).toMatchObject({ code: "invalid-definition" });
    expect((await rig.service.list({ definition: "pipeline" })).tasks).toHaveLength(16);
    await expectHealthy(rig);
  });

  test("whose inputs grow too large fails, and stays nowhere", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const refs = [
      { at: "/one", input: true },
      { at: "/two", input: true },
    ] as const;
    const { id } = await bench.submit({
      a: run("a"),
      p: { graph: graphOf({ x: run("x", { refs }) }), refs: [{ at: "", task: "a" }] },
    });
    await bench.complete("a", "x".repeat(limits.payloadBytesMax - 10));
    await rig.live(5_000, bench.worker);
    expect(await bench.statuses(id)).toBe("a:succeeded p:failed");
    expect(await rig.status(id)).toBe("failed");
  });
});

describe("an each", () => {
  const copies = graphOf({
    x: run("x", { refs: [{ at: "", all: [{ item: true }, { input: true }] }] }),
    y: run("y", { refs: [{ at: "", task: "x" }] }),
  });

  test("runs a copy for each item and gives the results in their order", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit({
      a: run("a"),
      m: { each: copies, input: { given: "g" }, refs: [{ at: "/items", task: "a" }] },
      b: run("b", { refs: [{ at: "", task: "m" }] }),
    });
    await bench.complete("a", ["i", "j"]);
    expect(bench.running).toBe("xx");
    const inputs = bench.worker.assignments.slice(-2).map(({ input }) => input);
    expect(inputs).toEqual([
      ["i", "g"],
      ["j", "g"],
    ]);
    // The second is through before the first.
    const [first, second] = [...bench.worker.running.keys()];
    await bench.worker.complete("second", second);
    await rig.settle();
    expect(bench.inputOf("y")).toBe("second");
    await bench.complete("y", "second result");
    await bench.worker.complete("first", first);
    await rig.settle();
    await bench.complete("y", "first result");
    expect(bench.inputOf("b")).toEqual(["first result", "second result"]);
    await bench.complete("b");
    expect(await rig.status(id)).toBe("succeeded");
    await expectHealthy(rig);
  });

  test("of no items gives none, at once", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit({ m: { each: copies, input: { items: [] } } });
    expect(await rig.service.result({ id })).toMatchObject({ output: [] });
    expect(await bench.statuses(id)).toBe("m:succeeded");
    await expectHealthy(rig);
  });

  test.each([[null], [{ items: {} }], [{ items: "abc" }], [[1]], [{}]])(
    "of %j fails: that is no list",
    async (input) => {
      const { rig, bench } = await startBench();
      await using _ = rig;
      const { id } = await bench.submit({ m: { each: copies, input } });
      expect(await errorOf(rig.service.result({ id }))).toMatchObject({
        code: "task-failed",
        data: {
          error: {
            message: expect.stringContaining("m failed: each needs a list of items, and got"),
          },
        },
      });
    },
  );

  test.each([1, 2, 3, 7])("has never more than its limit of %i under way", async (limit) => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const items = Array.from({ length: 12 }, (_, index) => index);
    const { id } = await bench.submit({ m: { each: copies, input: { items }, limit } });
    const done: number[] = [];
    let most = 0;
    // The latest first: the order of ends is not that of starts.
    for (let turn = 0; done.length < items.length; turn += 1) {
      const nodes = (await rig.service.graph({ id })).tasks.filter(({ name }) => /^\d/.test(name));
      const byCopy = Map.groupBy(nodes, ({ name }) => name.split(".")[0] ?? "");
      const underWay = [...byCopy.values()].filter(
        (copy) =>
          copy.some(({ status }) => !["waiting", "succeeded"].includes(status)) ||
          new Set(copy.map(({ status }) => status)).size > 1,
      );
      most = Math.max(most, underWay.length);
      const [token, { definition }] = [...bench.worker.running].at(turn % 2 === 0 ? -1 : 0) ?? [
        "",
        { definition: "" },
      ];
      await bench.worker.complete(turn, token);
      await rig.settle();
      if (definition === "y") done.push(turn);
      expect(bench.worker.mostRunning).toBeLessThanOrEqual(limit);
    }
    expect(most).toBe(limit);
    expect(await rig.status(id)).toBe("succeeded");
    await expectHealthy(rig);
  });

  test("with a limit goes on after a copy that failed", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const input = { items: [1, 2, 3] };
    const { id } = await bench.submit({ m: { each: copies, input, limit: 1 } });
    await bench.fail("x");
    await bench.complete("x");
    await bench.complete("y");
    await bench.complete("x");
    await bench.complete("y");
    expect(await errorOf(rig.service.result({ id }))).toMatchObject({ code: "task-failed" });
    expect(await bench.statuses(id)).toBe(
      "0.x:failed 0.y:failed 1.x:succeeded 1.y:succeeded 2.x:succeeded 2.y:succeeded m:failed",
    );
  });

  test("within an each keeps the items apart", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const within = graphOf({
      n: {
        each: graphOf({
          x: run("x", { refs: [{ at: "", all: [{ item: true }, { input: true }] }] }),
        }),
        refs: [
          { at: "/items", item: true },
          { at: "/given", item: true, path: "/0" },
        ],
      },
    });
    const items = [[1, 2], [3]];
    const { id } = await bench.submit({ m: { each: within, input: { items } } });
    expect(bench.worker.inputs).toEqual(
      expect.arrayContaining([
        [1, 1],
        [2, 1],
        [3, 3],
      ]),
    );
    for (const [token, { input }] of bench.worker.running)
      await bench.worker.complete(input, token);
    await rig.settle();
    expect(await rig.service.result({ id })).toMatchObject({
      output: [
        [
          [1, 1],
          [2, 1],
        ],
        [[3, 3]],
      ],
    });
  });

  test("that would make more than 10,000 tasks fails, and makes none", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const items = Array.from({ length: 5_001 }, () => 0);
    const { id } = await bench.submit({ m: { each: copies, input: { items } } });
    expect(await bench.statuses(id)).toBe("m:failed");
    expect(bench.started).toBe("");
  });
});

test("eaches that begin at once do not together make more than 10,000 tasks", async () => {
  const { rig, bench } = await startBench({ slots: 1 });
  await using _ = rig;
  const list = (length: number) => Array.from({ length }, () => 0);
  const inner = { each: graphOf({ x: run("x") }), input: { items: list(2_400) } };
  const { id } = await bench.submit({
    m: { each: graphOf({ n: inner }), input: { items: list(5) } },
  });
  await rig.live(1_000, bench.worker);
  expect(await rig.store.graphs.size(id)).toBeLessThanOrEqual(limits.descendantsMax);
});

describe("a registered pipeline", () => {
  const body = { graph: graphOf({ x: run("x", { refs: [{ at: "", input: true }] }) }) };

  test("runs by its name, with its tasks made along", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { version } = await rig.service.registerPipeline({ name: "media", ...body });
    const { id } = await rig.service.submit({ definition: "media", input: 7 });
    await rig.settle();
    expect(bench.inputOf("x")).toBe(7);
    await bench.complete("x", 8);
    expect(await rig.service.result({ id })).toMatchObject({ output: 8 });
    expect(await rig.get(id)).toMatchObject({ definition: "media", version });
  });

  test("runs as a part of another, the version that is asked for", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { version } = await rig.service.registerPipeline({ name: "media", ...body });
    await rig.advance(10);
    const latest = { name: "media", graph: graphOf({ y: run("y") }) };
    const { version: latestVersion } = await rig.service.registerPipeline(latest);
    const { id, tasks } = await bench.submit({
      old: run("media", { version, input: 1 } as Partial<GraphTask>),
      latest: run("media"),
    });
    expect(bench.running).toBe("xy");
    await bench.complete("xy");
    expect(await rig.status(id)).toBe("succeeded");
    // Whether it was asked for or not: what the task was made with.
    const made = [tasks?.["old"] ?? "", tasks?.["latest"] ?? ""];
    const views = await Promise.all(made.map((part) => rig.get(part)));
    expect(views.map((view) => view.version)).toEqual([version, latestVersion]);
  });

  test("that has itself as a part fails at the depth where it has to end", async () => {
    const { rig } = await startBench();
    await using _ = rig;
    await rig.service.registerPipeline({ name: "loop", graph: graphOf({ p: run("loop") }) });
    const { id } = await rig.service.submit({ definition: "loop" });
    await rig.settle();
    expect(await errorOf(rig.service.result({ id }))).toMatchObject({ code: "task-failed" });
    await expectHealthy(rig);
  });

  test("has no attempts of its own, and so nothing that is said of attempts", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    await rig.service.registerPipeline({ name: "media", ...body });
    const startAt = rig.clock.now() + 5_000;
    for (const asked of [{ startAt }, { attemptTimeoutMs: 1 }, { retry: {} }]) {
      // A start it has, but not in a graph.
      if (!("startAt" in asked)) {
        const byName = errorOf(rig.service.submit({ definition: "media", ...asked }));
        expect(await byName).toMatchObject({ code: "invalid-params" });
      }
      const asPart = errorOf(bench.submit({ p: run("media", asked as Partial<GraphTask>) }));
      expect(await asPart).toMatchObject({ code: "invalid-params" });
    }
    expect((await rig.service.list({})).tasks).toEqual([]);
  });
});
