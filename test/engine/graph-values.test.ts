import { describe, expect, test } from "vitest";
import type { Preprocessing } from "../../runtime/ports/preprocessing.ts";
import { expectHealthy, run, startBench } from "../support/graph-bench.ts";
import { errorOf } from "../support/outcome.ts";

const hashes = { source: "hash of source", input: "hash of input" };
const fault = { name: "TypeError", message: "x is not a function", code: "preprocessor-failed" };

/** In place of a sandbox: doubles, unless the source says that it fails. */
const preprocessing: Preprocessing = {
  check: () => [],
  run: async ({ source, input }) =>
    source === "fails" ? { fault, ...hashes } : { output: String(Number(input) * 2), ...hashes },
  close: async () => {},
};

describe("a value in a graph", () => {
  test("has its input, filled in, as its output, in the commit of what it waited for", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id, tasks } = await bench.submit({
      a: run("a"),
      v: { value: true, input: { a: null, n: 1 }, refs: [{ at: "/a", task: "a" }] },
      b: run("b", { refs: [{ at: "", task: "v" }] }),
    });
    const { sent } = rig.node.store;
    const before = sent.length;
    await bench.complete("a", 5);
    expect(bench.inputOf("b")).toEqual({ a: 5, n: 1 });
    expect(sent.slice(before)).toHaveLength(1);
    expect(await rig.get(tasks?.["v"] ?? "")).toMatchObject({
      status: "succeeded",
      output: { a: 5, n: 1 },
      attempt: 0,
    });
    await bench.complete("b");
    expect(await rig.status(id)).toBe("succeeded");
    await expectHealthy(rig);
  });

  test("may be all that there is, and waits for nothing", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit({ v: { value: true, input: { n: 1 } } });
    await rig.settle();
    expect(await rig.service.result({ id })).toMatchObject({ output: { n: 1 } });
    await expectHealthy(rig);
  });

  test("says what reshaped it, and fails alone when that fails", async () => {
    const { rig, bench } = await startBench({ preprocessing });
    await using _ = rig;
    const { id, tasks } = await bench.submit(
      {
        v: { value: true, refs: [{ at: "", input: true, preprocessor: "doubles" }] },
        w: {
          value: true,
          refs: [{ at: "", input: true, preprocessor: "fails" }],
          onFailure: "continue",
        },
        b: run("b", { refs: [{ at: "", all: [{ task: "v" }, { task: "w" }] }] }),
      },
      { input: 4 },
    );
    await rig.settle();
    expect(bench.inputOf("b")).toMatchObject([8, { error: { name: "TypeError" } }]);
    expect(await rig.eventsOf(tasks?.["v"] ?? "", "task.succeeded")).toEqual([
      { preprocessed: [hashes] },
    ]);
    await bench.complete("b");
    expect(await rig.status(id)).toBe("succeeded");
    await expectHealthy(rig);
  });

  test("is skipped, cancelled and restarted like any other", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id, tasks } = await bench.submit({
      a: run("a"),
      v: { value: true, refs: [{ at: "", task: "a" }] },
      s: { value: true, input: 1, when: { input: true, path: "/no" } },
    });
    await bench.fail("a");
    expect(await bench.statuses(id)).toBe("a:failed s:skipped v:failed");
    await rig.service.restart({ id: tasks?.["a"] ?? "" });
    await rig.settle();
    await bench.complete("a", 7);
    expect(await bench.statuses(id)).toBe("a:succeeded s:skipped v:succeeded");
    expect(await rig.get(tasks?.["v"] ?? "")).toMatchObject({ output: 7 });
    await expectHealthy(rig);
  });

  test("has nothing that belongs to attempts", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const wrong = { value: 1, retry: { maxAttempts: 2 }, definition: "a" } as never;
    const error = await errorOf(bench.submit({ v: wrong }));
    expect(error).toMatchObject({ code: "invalid-definition" });
    expect(error.message).toContain("one of definition, graph, each and value");
    const odd = await errorOf(bench.submit({ v: { value: 1, retry: {} } as never }));
    expect(odd.message).toContain("graph.tasks.v.retry is unknown here");
    expect(odd.message).toContain("graph.tasks.v.value must be true");
  });
});

describe("outputs that are too much to be read at once", () => {
  const text = "x".repeat(250_000);
  const names = Array.from({ length: 140 }, (_, index) => `a${index}`);
  const parts = Object.fromEntries(names.map((name) => [name, run("a")]));

  test("are read in turn for the input that they are picked for", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const refs = names.map((task) => ({ at: `/${task}`, task, path: "/n" }));
    await bench.submit({ ...parts, b: run("b", { refs }) });
    for (const { token } of [...bench.worker.assignments]) {
      await bench.worker.complete({ n: 1, text }, token);
    }
    await rig.settle();
    expect(bench.inputOf("b")).toEqual(Object.fromEntries(names.map((name) => [name, 1])));
    expect(rig.node.store.countOf("graphs.outputsOf")).toBeGreaterThan(1);
    await expectHealthy(rig);
  });

  test("are refused, as the output of a whole, when that is certain", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const graph = { tasks: { a: run("a") }, result: "a" };
    const refs = [{ at: "/items", input: true }] as const;
    const { id } = await bench.submit({ e: { each: graph, refs } }, { input: names });
    for (const { token } of [...bench.worker.assignments]) {
      await bench.worker.complete({ n: 1, text }, token);
    }
    await rig.settle();
    expect(await rig.status(id)).toBe("failed");
    expect(rig.node.store.countOf("graphs.outputsOf")).toBe(1);
    await expectHealthy(rig);
  });
});

describe("dependencies that take the database too long", () => {
  // What takes a preprocessor waits for its letter.
  const refs = [{ at: "", task: "a", preprocessor: "p" }];
  const preprocessing = {
    check: () => [],
    run: async () => ({ output: "1", source: "s", input: "i" }),
    close: async () => {},
  };

  test("of many tasks are asked for by fewer at once", async () => {
    const { rig, bench } = await startBench({ preprocessing });
    await using _ = rig;
    const many = Array.from({ length: 60 }, (_, at) => [`b${at}`, run("b", { refs })] as const);
    await bench.submit({ a: run("a"), ...Object.fromEntries(many) });
    const { store } = rig.node;
    // Of 50, 25, 12, 6 and 3.
    store.failNext("graphs.dependenciesOf", 5, "contended");
    await bench.complete("a");
    expect(bench.running).toBe("b".repeat(60));
    expect(store.countOf("graphs.dependenciesOf")).toBe(5 + 60);
    await expectHealthy(rig);
  });

  test("of one task are asked for again later", async () => {
    const { rig, bench } = await startBench({ preprocessing });
    await using _ = rig;
    await bench.submit({ a: run("a"), b: run("b", { refs }), c: run("c", { refs }) });
    const { store } = rig.node;
    store.failNext("graphs.dependenciesOf", 2, "contended");
    await bench.complete("a");
    expect(bench.running).toBe("");
    expect(store.countOf("graphs.dependenciesOf")).toBe(2);
    await rig.live(4_000, bench.worker);
    expect(bench.running).toBe("bc");
    await expectHealthy(rig);
  });
});
