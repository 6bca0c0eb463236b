import { describe, expect, test } from "vitest";
import { checkGraph } from "../../../runtime/graph/check.ts";
import { checkVertex } from "../../../runtime/service/submit-check.ts";
import type { Graph, GraphTask } from "../../../sdk/protocol/graph.ts";

function problemsOf(graph: unknown): readonly string[] {
  const problems = checkGraph(graph as Graph, {
    checkVertex,
    checkSource: (source) => (source.includes("bad") ? ["line 1, column 1: is bad"] : []),
  });
  return problems.map(({ path, message }) => `${path} ${message}`);
}

const job = { definition: "job" };

/** A graph of two, the second of which is as given. */
function withTask(second: unknown): unknown {
  return { tasks: { first: job, second }, result: "first" };
}

describe("a graph is sound", () => {
  test.each<[name: string, graph: unknown]>([
    ["with one task", { tasks: { a: job }, result: "a" }],
    ["with names that objects inherit", { tasks: { constructor: job }, result: "constructor" }],
    [
      "with every kind of source",
      withTask({
        ...job,
        version: "2",
        refs: [
          { at: "", task: "first" },
          { at: "/a", task: "first", path: "/x", preprocessor: "good" },
          { at: "/b", input: true },
          { at: "/c", all: [{ task: "first" }, { of: { input: true }, path: "/y" }] },
          { at: "/d", all: { one: { task: "first" } } },
        ],
        after: ["first"],
        when: { task: "first", equals: null },
        onFailure: "continue",
        priority: -1,
      }),
    ],
    [
      "with graphs within",
      withTask({ graph: { tasks: { x: job }, result: "x" }, refs: [{ at: "", task: "first" }] }),
    ],
    [
      "with items inside an each",
      withTask({
        each: {
          tasks: { x: { ...job, refs: [{ at: "", item: true }] } },
          result: "x",
        },
        limit: 1,
      }),
    ],
  ])("%s", (_, graph) => {
    expect(problemsOf(graph)).toEqual([]);
  });
});

const item = { ...job, refs: [{ at: "", item: true }] };

describe("a graph is refused", () => {
  test.each<[name: string, graph: unknown, problems: readonly string[]]>([
    ["that is null", null, ["graph must be {tasks: {name: task}, result: name}"]],
    ["that is a list", [], ["graph must be {tasks: {name: task}, result: name}"]],
    [
      "whose tasks are a list",
      { tasks: [] },
      ["graph must be {tasks: {name: task}, result: name}"],
    ],
    [
      "without tasks",
      { tasks: {}, result: "a" },
      ["graph.tasks must not be empty", 'graph.result names no task: "a"'],
    ],
    ["without a result", { tasks: { a: job } }, ["graph.result names no task: nothing"]],
    [
      "whose result is only inherited",
      { tasks: { a: job }, result: "toString" },
      ['graph.result names no task: "toString"'],
    ],
    [
      "for a name",
      { tasks: { "a b": job }, result: "a b" },
      ["graph.tasks.a b its name must match ^[A-Za-z0-9_.:/-]{1,200}$"],
    ],
    ["for a task that is none", withTask(7), ["graph.tasks.second must be an object"]],
    [
      "for a task without a body",
      withTask({}),
      ["graph.tasks.second must have one of definition, graph, each and value"],
    ],
    [
      "for a task with two bodies",
      withTask({ ...job, graph: { tasks: { x: job }, result: "x" } }),
      ["graph.tasks.second must have one of definition, graph, each and value"],
    ],
    [
      "for a definition's name",
      withTask({ definition: "" }),
      ["graph.tasks.second.definition must match ^[A-Za-z0-9_.:/-]{1,200}$"],
    ],
    [
      "for what a task is submitted with",
      withTask({ ...job, priority: 0.5 }),
      ["graph.tasks.second.priority must be a 32-bit integer"],
    ],
    ["for its refs", withTask({ ...job, refs: null }), ["graph.tasks.second.refs must be a list"]],
    [
      "for a ref",
      withTask({ ...job, refs: [1, { at: "x", task: "first" }, { task: "first" }] }),
      [
        "graph.tasks.second.refs[0] must be an object",
        "graph.tasks.second.refs[1].at must be a JSON pointer of at most 64 parts",
        "graph.tasks.second.refs[2].at must be a JSON pointer of at most 64 parts",
      ],
    ],
    [
      "for a source",
      withTask({
        ...job,
        refs: [
          { at: "" },
          { at: "", task: "first", input: true },
          { at: "", task: "first", path: "x" },
          { at: "", task: "nobody" },
          { at: "", task: 1 },
          { at: "", input: false },
          { at: "", all: 1 },
          { at: "", all: [{ task: "nobody" }, 2] },
          { at: "", all: { x: {} } },
          { at: "", of: { task: "nobody" } },
        ],
      }),
      [
        "graph.tasks.second.refs[0] must have one of task, input, item, all and of",
        "graph.tasks.second.refs[1] must have one of task, input, item, all and of",
        "graph.tasks.second.refs[2].path must be a JSON pointer of at most 64 parts",
        'graph.tasks.second.refs[3].task names no task: "nobody"',
        "graph.tasks.second.refs[4].task names no task: 1",
        "graph.tasks.second.refs[5].input must be true",
        "graph.tasks.second.refs[6].all must be a list or an object",
        'graph.tasks.second.refs[7].all.0.task names no task: "nobody"',
        "graph.tasks.second.refs[7].all.1 must be an object",
        "graph.tasks.second.refs[8].all.x must have one of task, input, item, all and of",
        'graph.tasks.second.refs[9].of.task names no task: "nobody"',
      ],
    ],
    [
      "for an item outside an each",
      withTask({ ...item, when: { item: true } }),
      [
        "graph.tasks.second.refs[0].item is not inside an each",
        "graph.tasks.second.when.item is not inside an each",
      ],
    ],
    [
      "for an item in a graph within an each",
      withTask({
        each: { tasks: { x: { graph: { tasks: { y: item }, result: "y" } } }, result: "x" },
      }),
      ["graph.tasks.second.each.tasks.x.graph.tasks.y.refs[0].item is not inside an each"],
    ],
    [
      "for its preprocessors",
      withTask({
        ...job,
        refs: [
          { at: "/a", task: "first", preprocessor: 1 },
          { at: "/b", task: "first", preprocessor: "bad" },
        ],
        when: { task: "first", preprocessor: "bad" },
      }),
      [
        "graph.tasks.second.refs[0].preprocessor must be the text of a function",
        "graph.tasks.second.refs[1].preprocessor line 1, column 1: is bad",
        "graph.tasks.second.when.preprocessor line 1, column 1: is bad",
      ],
    ],
    [
      "for those that come before",
      withTask({ ...job, after: ["first", "nobody", null] }),
      [
        'graph.tasks.second.after[1] names no task: "nobody"',
        "graph.tasks.second.after[2] names no task: null",
      ],
    ],
    [
      "for an after",
      withTask({ ...job, after: "first" }),
      ["graph.tasks.second.after must be a list of names"],
    ],
    [
      "for a condition and a policy",
      withTask({ ...job, when: 1, onFailure: "retry" }),
      [
        "graph.tasks.second.onFailure is none of fail,continue,allow",
        "graph.tasks.second.when must be an object",
      ],
    ],
    [
      "for a limit",
      withTask({ each: { tasks: { x: job }, result: "x" }, limit: 0 }),
      ["graph.tasks.second.limit must be a positive integer"],
    ],
    ...[null, 5, "x", []].map((retry): [string, unknown, string[]] => [
      `for ${JSON.stringify(retry)} as a policy of retries`,
      withTask({ ...job, retry }),
      ["graph.tasks.second.retry must be an object"],
    ]),
    [
      "for a misspelt word in a policy of retries",
      withTask({ ...job, retry: { maxAttemps: 3 } }),
      ["graph.tasks.second.retry.maxAttemps is unknown here"],
    ],
    [
      "for a reference out of the graph that it is in",
      withTask({
        graph: {
          tasks: { x: { ...job, after: ["first"] } },
          result: "second",
        },
      }),
      [
        'graph.tasks.second.graph.result names no task: "second"',
        'graph.tasks.second.graph.tasks.x.after[0] names no task: "first"',
      ],
    ],
    [
      "for a task that waits for itself",
      withTask({ ...job, after: ["second"] }),
      ["graph.tasks wait for each other: second → second"],
    ],
    [
      "for a circle through refs and conditions, and all else that is wrong",
      {
        tasks: {
          a: { ...job, refs: [{ at: "", all: [{ of: { task: "b" } }] }], priority: "high" },
          b: { ...job, when: { task: "a" } },
          c: { graph: { tasks: { x: { ...job, after: ["x"] } }, result: "x" } },
        },
        result: "nobody",
      },
      [
        'graph.result names no task: "nobody"',
        "graph.tasks.a.priority must be a 32-bit integer",
        "graph.tasks.c.graph.tasks wait for each other: x → x",
        "graph.tasks wait for each other: a → b → a",
      ],
    ],
  ])("%s", (_, graph, problems) => {
    expect(problemsOf(graph)).toEqual(problems);
  });
});

function tasksOf(count: number): Record<string, GraphTask> {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`t${n}`, job]));
}

describe("a graph may have 1,000 tasks", () => {
  test("and not one more", () => {
    expect(problemsOf({ tasks: tasksOf(1_000), result: "t0" })).toEqual([]);
    expect(problemsOf({ tasks: tasksOf(1_001), result: "t0" })).toEqual([
      "graph.tasks are more than 1000",
    ]);
  });

  test("those of the graphs within it included", () => {
    const within = (inner: number) => ({
      tasks: {
        ...tasksOf(498),
        x: { graph: { tasks: tasksOf(500), result: "t0" } },
        y: { each: { tasks: tasksOf(inner), result: "t0" } },
      },
      result: "x",
    });
    expect(problemsOf({ ...within(1), tasks: { ...within(1).tasks, y: job } })).toEqual([]);
    expect(problemsOf(within(1))).toEqual(["graph.tasks.y.each.tasks are more than 1000"]);
    // Once is enough, however many more there are.
    expect(problemsOf(within(100))).toHaveLength(1);
  });
});

test("a ref goes to a place that its input has, whatever comes to stand there", () => {
  const refs = ["/list/0", "/list/1", "/list/7", "/list/-", "/list/0/deep", "/new/0", "/list/x"];
  const graph: Graph = {
    tasks: {
      first: { definition: "job" },
      second: {
        definition: "job",
        input: { list: [0] },
        refs: refs.map((at) => ({ at, task: "first" })),
      },
    },
    result: "second",
  };
  expect(problemsOf(graph)).toEqual([
    "graph.tasks.second.refs[2].at leads nowhere: a list of 2 has no place 7",
    "graph.tasks.second.refs[6].at leads nowhere: a list of 3 has no place x",
  ]);
});

test("a task may have 10,000 refs, and not one more", () => {
  const asking = (count: number) =>
    withTask({ ...job, refs: Array.from({ length: count }, () => ({ at: "", task: "first" })) });
  expect(problemsOf(asking(10_000))).toEqual([]);
  expect(problemsOf(asking(10_001))).toEqual(["graph.tasks.second.refs are more than 10000"]);
});

test("a chain of 1,000 is sound, one of 10,000 is refused without an overflow", () => {
  const chain = (count: number) => ({
    tasks: Object.fromEntries(
      Array.from({ length: count }, (_, n) => [
        `t${n}`,
        n === 0 ? job : { ...job, after: [`t${n - 1}`] },
      ]),
    ),
    result: "t0",
  });
  expect(problemsOf(chain(1_000))).toEqual([]);
  expect(problemsOf(chain(10_000))).toEqual(["graph.tasks are more than 1000"]);
});

test("tasks in graphs, and sources, nest 16 deep and no deeper", () => {
  let graph: Graph = { tasks: { a: job }, result: "a" };
  for (let depth = 1; depth < 16; depth += 1) graph = { tasks: { a: { graph } }, result: "a" };
  expect(problemsOf(graph)).toEqual([]);
  const deeper = { tasks: { a: { graph } }, result: "a" };
  const path = `graph${".tasks.a.graph".repeat(16)}`;
  expect(problemsOf(deeper)).toEqual([`${path} nests its tasks more than 16 deep`]);

  let source: object = { task: "first" };
  for (let depth = 0; depth < 16; depth += 1) source = { of: source };
  const asking = (of: object) => withTask({ ...job, when: of });
  expect(problemsOf(asking(source))).toEqual([]);
  expect(problemsOf(asking({ of: source }))).toEqual([
    `graph.tasks.second.when${".of".repeat(17)} nests more than 16 deep`,
  ]);
});

test("of very many problems the first hundred are told", () => {
  const tasks = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`t${n}`, 1]));
  expect(problemsOf({ tasks, result: "t0" })).toHaveLength(100);
});

test("a preprocessor that is used often is looked at once", () => {
  let looks = 0;
  const refs = Array.from({ length: 50 }, (_, n) => ({
    at: `/${n}`,
    input: true as const,
    preprocessor: "(x) => x",
  }));
  checkGraph(
    { tasks: { a: { ...job, refs } }, result: "a" },
    {
      checkVertex,
      checkSource: () => {
        looks += 1;
        return [];
      },
    },
  );
  expect(looks).toBe(1);
});
