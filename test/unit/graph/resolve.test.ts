import { describe, expect, test } from "vitest";
import { PreprocessorFailed } from "../../../runtime/graph/faults.ts";
import type { Outcome } from "../../../runtime/graph/outcome.ts";
import { finish, resolveInput } from "../../../runtime/graph/resolve.ts";
import type { Graph, GraphTask } from "../../../sdk/protocol/graph.ts";
import { limits } from "../../../sdk/protocol/limits.ts";

function outcome(name: string, given: Partial<Outcome> = {}): Outcome {
  const status = given.status ?? "succeeded";
  return {
    name,
    id: `id-${name}`,
    status,
    output: status === "succeeded" ? JSON.stringify(`out of ${name}`) : null,
    error: status === "failed" ? '{"name":"E","message":"boom"}' : null,
    onFailure: "fail",
    ...given,
  };
}

const failed = { status: "failed" } as const;
const job = { definition: "job" } as const;

function resolve(
  vertex: GraphTask,
  given: {
    outcomes?: readonly Outcome[];
    item?: number;
    template?: unknown;
    input?: unknown;
    preprocess?: () => Promise<unknown>;
  } = {},
) {
  const { outcomes = [], item, template = null, input = null } = given;
  return resolveInput(
    { vertex, item: item ?? null },
    {
      template,
      outcomes,
      scope: { input, ...(item === undefined ? {} : { item: `item ${item}` }) },
      preprocess: given.preprocess ?? (() => Promise.reject(new Error("not asked for"))),
    },
  );
}

describe("a task whose dependencies have ended", () => {
  test("goes on with its input filled in", async () => {
    const vertex: GraphTask = {
      ...job,
      refs: [
        { at: "/a", task: "a" },
        { at: "/b", input: true },
      ],
      after: ["b"],
    };
    const resolved = await resolve(vertex, {
      outcomes: [outcome("a"), outcome("b")],
      template: { kept: 1 },
      input: 2,
    });
    const value = { kept: 1, a: "out of a", b: 2 };
    expect(resolved).toEqual({ kind: "go", input: JSON.stringify(value), value });
  });

  test("of a copy sees its own item and the tasks of its own copy", async () => {
    const vertex: GraphTask = {
      ...job,
      refs: [
        { at: "/a", task: "a" },
        { at: "/item", item: true },
      ],
    };
    const outcomes = [outcome("1.a"), outcome("2.a")];
    const resolved = await resolve(vertex, { outcomes, item: 2, template: {} });
    expect(resolved).toMatchObject({ value: { a: "out of 2.a", item: "item 2" } });
  });

  test("is not held up by the failure of a copy that it merely waited for", async () => {
    const outcomes = [outcome("0.z", failed), outcome("0.s", { status: "skipped" })];
    expect(await resolve({ ...job }, { outcomes, item: 2 })).toMatchObject({ kind: "go" });
  });

  test("fails with one that failed, and is skipped with one that was skipped", async () => {
    const vertex: GraphTask = { ...job, after: ["a", "b"] };
    const skipped = { status: "skipped" } as const;
    const asked = (a: Partial<Outcome>, b: Partial<Outcome>) =>
      resolve(vertex, { outcomes: [outcome("a", a), outcome("b", b)] });
    expect(await asked(failed, {})).toMatchObject({
      kind: "fail",
      error: { code: "dependency-failed" },
    });
    expect(await asked({}, skipped)).toEqual({ kind: "skip", reason: "b was skipped" });
    expect(await asked(skipped, failed)).toMatchObject({ kind: "fail" });
    expect(await asked({ ...failed, onFailure: "allow" }, {})).toMatchObject({ kind: "go" });
  });

  test("is skipped when its condition does not hold, before any preprocessor of its refs", async () => {
    const vertex: GraphTask = {
      ...job,
      refs: [{ at: "", input: true, preprocessor: "p" }],
      when: { input: true, equals: 1 },
    };
    const resolved = await resolve(vertex, { input: 2 });
    expect(resolved).toEqual({ kind: "skip", reason: "its condition did not hold" });
  });

  const asking: GraphTask = { ...job, refs: [{ at: "", input: true, preprocessor: "p" }] };

  test("fails with its preprocessor", async () => {
    const error = { name: "TypeError", message: "x is not a function", code: "preprocessor-threw" };
    const preprocess = () => Promise.reject(new PreprocessorFailed(error));
    expect(await resolve(asking, { preprocess })).toEqual({ kind: "fail", error });
  });

  test("is not decided when there is nobody to run its preprocessor", async () => {
    const preprocess = () => Promise.reject(new Error("the sandbox is gone"));
    await expect(resolve(asking, { preprocess })).rejects.toThrow("the sandbox is gone");
  });

  test("fails when its input cannot be written or grows too large", async () => {
    const giving = (value: unknown) => resolve(asking, { preprocess: async () => value });
    expect(await giving("\0")).toMatchObject({ kind: "fail", error: { code: "invalid-params" } });
    const large = "x".repeat(limits.payloadBytesMax);
    expect(await giving(large)).toMatchObject({
      kind: "fail",
      error: { code: "too-large", retryable: false },
    });
  });

  test("fails when a list in its input has no such place", async () => {
    const vertex: GraphTask = { ...job, refs: [{ at: "/7", input: true }] };
    const resolved = await resolve(vertex, { template: [] });
    expect(resolved).toMatchObject({ kind: "fail", error: { code: "invalid-params" } });
  });
});

const graph: Graph = { tasks: { a: job, b: job }, result: "b" };

describe("a composite whose tasks have ended", () => {
  const pipeline = { kind: "pipeline", graph, copies: 1 } as const;
  const each = { kind: "each", graph, copies: 2 } as const;

  test("gives what its result gave", () => {
    expect(finish(pipeline, [outcome("a"), outcome("b")])).toEqual({
      kind: "succeed",
      output: '"out of b"',
    });
  });

  test("gives the results of its copies in the order of their items", () => {
    const outcomes = ["1.b", "1.a", "0.b", "0.a"].map((name) => outcome(name));
    expect(finish(each, outcomes)).toMatchObject({ output: '["out of 0.b","out of 1.b"]' });
  });

  test("gives null for a result that was skipped", () => {
    const skipped = { status: "skipped" } as const;
    expect(finish(pipeline, [outcome("b", skipped)])).toMatchObject({ output: "null" });
    expect(finish(each, [outcome("0.b", skipped), outcome("1.b")])).toMatchObject({
      output: '[null,"out of 1.b"]',
    });
  });

  test("fails with any of them whose failure nobody allowed", () => {
    const asked = (given: Partial<Outcome>) =>
      finish(pipeline, [outcome("a", given), outcome("b")]);
    expect(asked(failed)).toMatchObject({ kind: "fail", error: { message: "a failed: boom" } });
    expect(asked({ status: "cancelled", onFailure: "fail" })).toMatchObject({ kind: "fail" });
    expect(asked({ ...failed, onFailure: "allow" })).toMatchObject({ kind: "succeed" });
    expect(asked({ ...failed, onFailure: "continue" })).toMatchObject({ kind: "succeed" });
  });

  test("gives the error of a result that goes on as a value", () => {
    const b = outcome("b", { ...failed, onFailure: "continue" });
    expect(finish(pipeline, [b])).toMatchObject({
      output: '{"error":{"name":"E","message":"boom"}}',
    });
  });

  test("fails when its output grows too large", () => {
    const output = JSON.stringify("x".repeat(limits.payloadBytesMax / 2));
    const outcomes = ["0.b", "1.b"].map((name) => outcome(name, { output }));
    expect(finish(each, outcomes)).toMatchObject({ kind: "fail", error: { code: "too-large" } });
  });
});
