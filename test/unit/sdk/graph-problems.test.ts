import { describe, expect, test } from "vitest";
import type { Call, CallData } from "../../../sdk/call.ts";
import { task } from "../../../sdk/definition.ts";
import { all } from "../../../sdk/graph/all.ts";
import { each } from "../../../sdk/graph/each.ts";
import { encodeGraph } from "../../../sdk/graph/encode.ts";
import { pipeline } from "../../../sdk/graph/pipeline.ts";
import type { Pending } from "../../../sdk/graph/reference.ts";

const use = task("use", {}, (_: unknown) => ({ total: 1 }));
const listed = task("listed", {}, () => [1, 2]);

function problemsOf(call: () => CallData): unknown {
  try {
    encodeGraph(call());
  } catch (error) {
    return (error as { data: { problems?: unknown } }).data.problems ?? (error as Error).message;
  }
  return null;
}

function escaped() {
  let item: Pending<number> | undefined;
  let inner: Call | undefined;
  const whole = each(listed(), (given) => {
    item = given;
    inner = use(given);
    return inner;
  });
  return { item, inner, whole };
}

describe("a graph is refused", () => {
  test("for an item outside of its each, and a call with it: all at once", () => {
    const { item, inner, whole } = escaped();
    expect(problemsOf(() => use({ item, inner, whole }))).toEqual([
      "the item of each(listed) is used outside of it",
      "the call use of each(listed) is used outside of it",
    ]);
    expect(problemsOf(() => inner as Call)).toEqual([
      "the call use of each(listed) is used outside of it",
    ]);
    expect(problemsOf(() => each([1], () => use(item)))).toEqual([
      "the item of each(listed) is used in each([…])",
    ]);
  });

  test("for a pipeline's input outside of it", () => {
    let input: unknown;
    pipeline("p", {}, (given) => {
      input = given;
      return use(given);
    });
    expect(problemsOf(() => use({ input }))).toEqual([
      "the input of pipeline p is used outside of it",
    ]);
    expect(problemsOf(() => pipeline("q", {}, () => use(input))())).toEqual([
      "the input of pipeline p is used in pipeline q",
    ]);
  });

  test("for an each whose body made nothing", () => {
    const outside = use(1);
    expect(problemsOf(() => each(listed(), () => outside))).toEqual([
      "each(listed) gives the call use, which it did not make",
    ]);
  });

  test("for options that only single tasks have", () => {
    const call = each(listed(), (n) => use(n)).with({ retry: { maxAttempts: 1 }, timeout: 1 });
    expect(problemsOf(() => call)).toEqual([
      "each(listed) has no timeout, retry; say it of the calls in its body",
    ]);
  });

  test("for names that are taken or are none", () => {
    const calls = ["a", "a", "no name"].map((name) => use(name).with({ name }));
    expect(problemsOf(() => use(calls))).toEqual([
      "two tasks have the name a",
      '"no name" is not a name for a task',
    ]);
  });

  test("for a call that was put into its own input", () => {
    const input: { loop?: unknown } = {};
    const first = use(input);
    const second = use({ first });
    input.loop = second;
    expect(problemsOf(() => second)).toEqual(["a call needs itself: use → use → use"]);
  });

  test("beyond 1,000 tasks, however deep", () => {
    const chain = (length: number) => {
      let last = use(0);
      for (let count = 1; count < length; count++) last = use(last);
      return last;
    };
    expect(Object.keys(encodeGraph(chain(1_000))?.tasks ?? {})).toHaveLength(1_000);
    expect(problemsOf(() => chain(1_001))).toEqual(["it has more than 1000 tasks"]);
    expect(problemsOf(() => chain(100_000))).toEqual(["it has more than 1000 tasks"]);
  });

  test("for what cannot be joined, chosen by or waited for", () => {
    const data = { there: 1 } as unknown as Call;
    expect(() => all({ data })).toThrow("data is neither");
    expect(() => all([])).toThrow("something to join");
    expect(() => use(1).when(data)).toThrow("a value to come");
    expect(() => use(1).after(data)).toThrow("takes calls");
    expect(() => use(1).when(use(2)).when(use(3))).toThrow("join the two");
    expect(() => each(data as never, (item) => use(item))).toThrow("no list");
    expect(() => each([1], (item) => use(item), { limit: 0 })).toThrow("its limit");
    expect(() => each([1], () => data)).toThrow("must give a call");
  });
});

test("a web of shared objects is walked once", () => {
  let web: unknown = { leaf: 1 };
  for (let depth = 0; depth < 60; depth++) web = [web, web];
  expect(encodeGraph(use(web))).toBeNull();
  expect(Object.keys(encodeGraph(use({ web, call: use(1) }))?.tasks ?? {})).toEqual([
    "use",
    "use-2",
  ]);
});
