import { describe, expect, test } from "vitest";
import { noPreprocessing, type Preprocessing } from "../../runtime/ports/preprocessing.ts";
import { openPreprocessing } from "../../runtime/preprocessing.ts";
import type { Ref } from "../../sdk/protocol/graph.ts";
import { chained, expectHealthy, graphOf, run, startBench } from "../support/graph-bench.ts";
import { errorOf } from "../support/outcome.ts";

type Run = Preprocessing["run"];

/** In place of a sandbox: says what it was given, unless told what to do. */
function fake(act: Run = async ({ source, input }) => answer({ [source]: JSON.parse(input) })) {
  const preprocessing: Preprocessing = { check: () => [], run: act, close: async () => {} };
  return preprocessing;
}

function answer(output: unknown): Awaited<ReturnType<Run>> {
  return { output: JSON.stringify(output), source: "hash of source", input: "hash of input" };
}

/** Tasks that begin with a preprocessor. */
function manyOf(count: number) {
  const refs = [{ at: "", input: true, preprocessor: "p" }] as const;
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`t${n}`, run("b", { refs })]));
}

describe("a preprocessor", () => {
  test("that takes all the time to look at is the last one of its graph that is looked at", async () => {
    const looked: string[] = [];
    const check = (source: string) => {
      looked.push(source);
      const problem = { message: "takes too long", line: 1, column: 1 };
      return source === "slow" ? [{ ...problem, isOvertime: true as const }] : [];
    };
    const { rig, bench } = await startBench({ preprocessing: { ...fake(), check } });
    await using _ = rig;
    const refs = ["quick", "slow", "next"].map((preprocessor, index) => {
      return { at: `/${index}`, input: true as const, preprocessor };
    });
    const error = await errorOf(bench.submit({ a: run("a", { refs }) }));
    expect(error).toMatchObject({ message: expect.stringContaining("takes too long") });
    expect(looked).toEqual(["quick", "slow"]);
  });

  test("reshapes what goes into a task, and the journal says that it ran", async () => {
    const { rig, bench } = await startBench({ preprocessing: fake() });
    await using _ = rig;
    const { tasks } = await bench.submit({
      a: run("a"),
      b: run("b", { refs: [{ at: "/x", task: "a", path: "/y", preprocessor: "p" }] }),
    });
    await bench.complete("a", { y: 1 });
    expect(bench.inputOf("b")).toEqual({ x: { p: 1 } });
    expect(await rig.eventsOf(tasks?.["b"] ?? "", "task.resolved")).toEqual([
      { preprocessed: [{ source: "hash of source", input: "hash of input" }] },
    ]);
    await expectHealthy(rig);
  });

  test("runs although nothing has to end before", async () => {
    const { rig, bench } = await startBench({ preprocessing: fake() });
    await using _ = rig;
    const refs = [{ at: "", input: true, preprocessor: "p" }] as const;
    await bench.submit({ a: run("a", { refs }) }, { input: 5 });
    expect(bench.inputOf("a")).toEqual({ p: 5 });
  });

  test("runs once for a task, whatever happens to the node afterwards", async () => {
    let runs = 0;
    const preprocessing = fake(async () => {
      runs += 1;
      return answer(runs);
    });
    const { rig, bench } = await startBench({ preprocessing });
    await using _ = rig;
    rig.entropy.fix(0);
    const refs = [{ at: "", input: true, preprocessor: "p" }] as const;
    const { tasks } = await bench.submit({
      a: run("a", { refs, ...{ retry: { maxAttempts: 2 } } }),
    });
    await bench.fail("a", { retryable: true });
    await rig.live(4_000, bench.worker);
    expect(bench.running).toBe("a");
    expect(runs).toBe(1);
    expect(await rig.get(tasks?.["a"] ?? "")).toMatchObject({ input: 1 });
  });

  test("decides over a condition", async () => {
    const preprocessing = fake(async ({ input }) => answer(JSON.parse(input) > 3));
    const { rig, bench } = await startBench({ preprocessing });
    await using _ = rig;
    const { id } = await bench.submit({
      a: run("a"),
      b: run("b", { when: { task: "a", preprocessor: "p" } }),
      c: run("c", { when: { task: "a", preprocessor: "p", equals: false } }),
    });
    await bench.complete("a", 2);
    expect(await bench.statuses(id)).toBe("a:succeeded b:skipped c:running");
  });

  test("makes the items of an each", async () => {
    const preprocessing = fake(async ({ input }) => answer(JSON.parse(input).map(String)));
    const { rig, bench } = await startBench({ preprocessing });
    await using _ = rig;
    const copies = graphOf({ x: run("x", { refs: [{ at: "", item: true }] }) });
    await bench.submit({
      a: run("a"),
      m: { each: copies, refs: [{ at: "/items", task: "a", preprocessor: "p" }] },
    });
    await bench.complete("a", [1, 2]);
    expect(bench.worker.inputs.slice(1)).toEqual(["1", "2"]);
  });

  test("that throws fails its task, and nothing else notices", async () => {
    const fault = { name: "TypeError", code: "preprocessor-threw", message: "x is not a function" };
    const { rig, bench } = await startBench({ preprocessing: fake(async () => ({ fault })) });
    await using _ = rig;
    const { id, tasks } = await bench.submit({
      a: run("a"),
      b: run("b", { refs: [{ at: "", task: "a", preprocessor: "p" }], onFailure: "continue" }),
      c: run("c", { refs: [{ at: "", task: "b" }] }),
      d: run("d", { after: ["a"] }),
    });
    await bench.complete("a");
    expect(await bench.statuses(id)).toBe("a:succeeded b:failed c:running d:running");
    const told = { ...fault, message: "in its preprocessor: x is not a function" };
    expect(await rig.get(tasks?.["b"] ?? "")).toMatchObject({
      error: { ...told, retryable: false },
    });
    expect(bench.inputOf("c")).toMatchObject({ error: told });
    await expectHealthy(rig);
  });

  test("that throws what cannot be stored is told of without it", async () => {
    const preprocessing = openPreprocessing();
    const { rig, bench } = await startBench({ preprocessing });
    await using _ = rig;
    const source = String.raw`() => {
      const error = new Error("a\0b\ud800");
      error.name = "N\0\udc00";
      throw error;
    }`;
    const refs = [{ at: "", input: true, preprocessor: source }] as const;
    const { tasks } = await bench.submit({ a: run("a", { refs }) });
    const told = { name: "N\ufffd\ufffd", message: "in its preprocessor: a\ufffdb\ufffd" };
    const task = tasks?.["a"] ?? "";
    expect(await errorOf(rig.service.result({ id: task }))).toMatchObject({
      data: { error: told },
    });
    expect(await rig.get(task)).toMatchObject({ error: told });
    expect(await rig.eventsOf(task, "task.failed")).toMatchObject([{ error: told }]);
    await preprocessing.close();
  });

  test("whose sandbox is gone is run again later, and holds up nobody else", async () => {
    let left = 3;
    const preprocessing = fake(async () => {
      left -= 1;
      if (left >= 0) throw new Error("the sandbox is gone");
      return answer("at last");
    });
    const { rig, bench } = await startBench({ preprocessing });
    await using _ = rig;
    const { id } = await bench.submit({
      ...chained({ a: "", d: "a" }),
      b: run("b", { refs: [{ at: "", task: "a", preprocessor: "p" }] }),
    });
    await bench.complete("a");
    expect(bench.running).toBe("d");
    await rig.live(6_000, bench.worker);
    expect(bench.running).toBe("bd");
    expect(bench.inputOf("b")).toBe("at last");
    await bench.complete("bd");
    expect(await rig.status(id)).toBe("succeeded");
    await expectHealthy(rig);
  });

  test("many whose sandbox is gone are told of in one line, and given back together", async () => {
    const { promise, reject } = Promise.withResolvers<never>();
    const { rig, bench } = await startBench({ preprocessing: fake(() => promise) });
    await using _ = rig;
    const { tasks } = await bench.submit(manyOf(20));
    reject(new Error("the sandbox is gone"));
    await rig.settle();
    expect(rig.logged).toEqual([
      {
        level: "warn",
        message: "tasks not resolved; their letters will be read again",
        fields: {
          tasks: 20,
          example: expect.toBeOneOf(Object.values(tasks ?? {})),
          error: new Error("the sandbox is gone"),
        },
      },
    ]);
    expect(rig.node.store.countOf("tasks.release")).toBe(1);
  });

  test("nothing is told of those whose sandbox goes in a stop", async () => {
    const { promise, reject } = Promise.withResolvers<never>();
    const { rig, bench } = await startBench({ preprocessing: fake(() => promise) });
    await using _ = rig;
    await bench.submit(manyOf(20));
    await rig.node.engine.stop();
    reject(new Error("the sandbox is closed"));
    await rig.settle();
    expect(rig.logged).toEqual([]);
  });

  test("nothing is told of those whose tasks have ended before their sandbox goes", async () => {
    const { promise, reject } = Promise.withResolvers<never>();
    const { rig, bench } = await startBench({ preprocessing: fake(() => promise) });
    await using _ = rig;
    const { id } = await bench.submit(manyOf(20));
    await rig.service.cancel({ id });
    await rig.settle();
    reject(new Error("the sandbox is gone"));
    await rig.live(3_000, bench.worker);
    expect(await rig.status(id)).toBe("cancelled");
    expect(rig.logged).toEqual([]);
    await expectHealthy(rig);
  });

  test("that is still running when its task is cancelled starts nothing", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const preprocessing = fake(() => promise.then(() => answer(1)));
    const { rig, bench } = await startBench({ preprocessing });
    await using _ = rig;
    const refs = [{ at: "", input: true, preprocessor: "p" }] as const;
    const { id, tasks } = await bench.submit({ a: run("a", { refs }), b: run("b") });
    await rig.service.cancel({ id: tasks?.["a"] ?? "" });
    await rig.settle();
    resolve();
    await rig.live(3_000, bench.worker);
    expect(await bench.statuses(id)).toBe("a:cancelled b:running");
    expect(bench.started).toBe("b");
    await expectHealthy(rig);
  });

  test("that has not begun when its task is cancelled does not run", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let runs = 0;
    const preprocessing = fake(async () => {
      runs += 1;
      await promise;
      return answer(1);
    });
    const { rig, bench } = await startBench({ preprocessing });
    await using _ = rig;
    const { id } = await bench.submit(manyOf(200));
    expect(runs).toBe(32);
    await rig.service.cancel({ id });
    await rig.settle();
    resolve();
    await rig.live(3_000, bench.worker);
    expect(runs).toBe(32);
    expect(await rig.status(id)).toBe("cancelled");
    expect(bench.started).toBe("");
    expect(rig.logged).toEqual([]);
    await expectHealthy(rig);
  });

  test("tells the sandbox, where it waits, whether its task still wants it", async () => {
    const { promise, reject } = Promise.withResolvers<never>();
    const asked: (() => boolean)[] = [];
    const preprocessing = fake(({ isWanted }) => {
      asked.push(isWanted);
      return promise;
    });
    const { rig, bench } = await startBench({ preprocessing });
    await using _ = rig;
    const { id, tasks } = await bench.submit(manyOf(3));
    const wanted = () => asked.map((isWanted) => isWanted());
    expect(wanted()).toEqual([true, true, true]);
    await rig.service.cancel({ id: tasks?.["t1"] ?? "" });
    await rig.settle();
    expect(wanted().filter((isWanted) => !isWanted)).toHaveLength(1);
    await rig.service.cancel({ id });
    await rig.settle();
    expect(wanted()).toEqual([false, false, false]);
    reject(new Error("nobody wants it any more"));
    await rig.live(3_000, bench.worker);
    expect(rig.logged).toEqual([]);
    await expectHealthy(rig);
  });

  test("is wanted no more by a node that has stopped", async () => {
    const asked: (() => boolean)[] = [];
    const preprocessing = fake(({ isWanted }) => {
      asked.push(isWanted);
      return new Promise(() => {});
    });
    const { rig, bench } = await startBench({ preprocessing });
    await using _ = rig;
    await bench.submit(manyOf(1));
    await rig.node.engine.stop();
    expect(asked.map((isWanted) => isWanted())).toEqual([false]);
  });

  test("that nobody can run is refused, with all others, where it is submitted", async () => {
    const { rig, bench } = await startBench({ preprocessing: noPreprocessing });
    await using _ = rig;
    const refs = [{ at: "", input: true, preprocessor: "p" }] as const;
    const submitting = bench.submit({ a: run("a", { refs, after: ["nobody"] }) });
    const { code, data } = await errorOf(submitting);
    expect(code).toBe("invalid-definition");
    expect(data["problems"]).toEqual([
      {
        path: "graph.tasks.a.refs[0].preprocessor",
        message: "line 1, column 1: this node runs no preprocessors",
      },
      { path: "graph.tasks.a.after[0]", message: 'names no task: "nobody"' },
    ]);
    expect(await rig.service.list({})).toEqual({ tasks: [] });
  });
});

const large = "x".repeat(250_000);

/** Counts what it has in hand, in calls and in characters; each takes a moment. */
class Meter {
  calls = 0;
  chars = 0;
  ran = 0;
  mostCalls = 0;
  mostChars = 0;

  preprocessing(output: (input: string) => unknown = () => 1): Preprocessing {
    return fake(async ({ input }) => {
      this.ran += 1;
      this.mostCalls = Math.max(this.mostCalls, ++this.calls);
      this.chars += input.length;
      this.mostChars = Math.max(this.mostChars, this.chars);
      await null;
      this.calls -= 1;
      this.chars -= input.length;
      return answer(output(input));
    });
  }
}

describe("preprocessors are many, and few of them in hand", () => {
  const one: Ref = { at: "/-", task: "a", preprocessor: "p" };

  test.each<[name: string, refs: readonly Ref[]]>([
    ["of one input", Array.from({ length: 500 }, () => one)],
    [
      "in sources within sources",
      Array.from({ length: 25 }, () => ({
        at: "/-",
        all: Array.from({ length: 20 }, () => ({ of: { task: "a", preprocessor: "p" } })),
      })),
    ],
  ])("%s", async (_, refs) => {
    const meter = new Meter();
    const { rig, bench } = await startBench({ preprocessing: meter.preprocessing() });
    await using _rig = rig;
    await bench.submit({ a: run("a"), b: run("b", { input: [], refs }) });
    await bench.complete("a", large);
    expect(bench.running).toBe("b");
    expect((bench.inputOf("b") as unknown[]).flat()).toEqual(Array.from({ length: 500 }, () => 1));
    expect(meter.mostCalls).toBe(16);
    await expectHealthy(rig);
  });

  test("of all the tasks of a node", async () => {
    const meter = new Meter();
    const { rig, bench } = await startBench({ preprocessing: meter.preprocessing() });
    await using _ = rig;
    const refs = Array.from({ length: 4 }, () => one);
    const dependents = Array.from({ length: 300 }, (_, n) => [`b${n}`, { ...run("b"), refs }]);
    await bench.submit({ a: run("a"), ...Object.fromEntries(dependents) });
    await bench.complete("a", large);
    expect(bench.worker.running.size).toBe(300);
    expect(meter.ran).toBe(1_200);
    expect(meter.mostChars).toBeLessThan(16 * 1024 * 1024);
    await expectHealthy(rig);
  });

  test("those of one namespace do not hold up another's", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const preprocessing = fake(async ({ source }) => {
      if (source === "slow") await promise;
      return answer(1);
    });
    const { rig, bench } = await startBench({ preprocessing });
    await using _ = rig;
    const slow = { refs: [{ at: "", input: true, preprocessor: "slow" }] } as const;
    const many = Array.from({ length: 100 }, (_, n) => [`t${n}`, { ...run("b"), ...slow }]);
    await bench.submit(Object.fromEntries(many));
    const other = rig.node.serviceOf("other");
    const refs = [{ at: "", input: true, preprocessor: "p" }] as const;
    const { tasks } = await other.submit({ graph: graphOf({ a: run("a", { refs }) }) });
    await rig.settle();
    expect(await other.get({ id: tasks?.["a"] ?? "" })).toMatchObject({ status: "ready" });
    expect(bench.started).toBe("");
    resolve();
    await rig.settle();
    expect(bench.started).toBe("b".repeat(100));
  });

  test("after the first fault the others do not run", async () => {
    const fault = { name: "Error", code: "preprocessor-threw", message: "no" };
    let runs = 0;
    const preprocessing = fake(async () => {
      runs += 1;
      return { fault };
    });
    const { rig, bench } = await startBench({ preprocessing });
    await using _ = rig;
    const refs = Array.from({ length: 500 }, () => one);
    const { id } = await bench.submit({ a: run("a"), b: run("b", { input: [], refs }) });
    await bench.complete("a");
    expect(await bench.statuses(id)).toBe("a:succeeded b:failed");
    expect(runs).toBeLessThanOrEqual(16);
  });

  test("one that would be given too much is not asked at all", async () => {
    const meter = new Meter();
    const { rig, bench } = await startBench({ preprocessing: meter.preprocessing() });
    await using _ = rig;
    const all = Array.from({ length: 9 }, () => ({ task: "a" }));
    const refs = [{ at: "", all, preprocessor: "p" }];
    const { tasks } = await bench.submit({ a: run("a"), b: run("b", { refs }) });
    await bench.complete("a", large);
    expect(meter.ran).toBe(0);
    expect(await rig.get(tasks?.["b"] ?? "")).toMatchObject({
      status: "failed",
      error: {
        code: "preprocessor-memory",
        message: "in its preprocessor: input is more than 2097152 bytes",
      },
    });
  });

  test("one that is given just less than that in little lists is asked", async () => {
    const meter = new Meter();
    const { rig, bench } = await startBench({ preprocessing: meter.preprocessing() });
    await using _ = rig;
    const all = Array.from({ length: 8 }, () => ({ task: "a" }));
    const refs = [{ at: "", all, preprocessor: "p" }];
    const { id } = await bench.submit({ a: run("a"), b: run("b", { refs }) });
    await bench.complete(
      "a",
      Array.from({ length: 60_000 }, () => [1]),
    );
    expect(meter.ran).toBe(1);
    expect(await bench.statuses(id)).toBe("a:succeeded b:running");
  });

  test("those that give more than could be kept fail their task", async () => {
    const meter = new Meter();
    const preprocessing = meter.preprocessing((input) => JSON.parse(input));
    const { rig, bench } = await startBench({ preprocessing });
    await using _ = rig;
    const refs = Array.from({ length: 500 }, () => one);
    const { tasks } = await bench.submit({ a: run("a"), b: run("b", { input: [], refs }) });
    await bench.complete("a", large);
    expect(meter.ran).toBeLessThan(30);
    expect(await rig.get(tasks?.["b"] ?? "")).toMatchObject({
      status: "failed",
      error: { code: "preprocessor-output" },
    });
  });
});
