import { describe, expect, test } from "vitest";
import {
  type Birth,
  type Expansion,
  expandEach,
  expandGraph,
  isTooDeep,
  type Parent,
  type PipelineVersion,
  pipelineKey,
} from "../../../runtime/graph/expand.ts";
import { isPlain, nameOf, positionOf, sinksOf } from "../../../runtime/graph/vertices.ts";
import type { Graph, GraphTask } from "../../../sdk/protocol/graph.ts";
import { limits } from "../../../sdk/protocol/limits.ts";
import { errorOf } from "../../support/outcome.ts";

const job = { definition: "job" } as const;

const parent: Parent = {
  id: "parent",
  namespace: "space",
  root: "root",
  trace: "trace",
  priority: 7,
  place: { kind: "pipeline", name: "p", graph: null, depth: 2, isAwaited: true },
};

function optionsOf(pipelines: Iterable<readonly [string, PipelineVersion]> = []) {
  let ids = 0;
  return {
    parent,
    mintId: () => `id-${ids++}`,
    now: 1_000,
    pipelines: new Map(pipelines),
  };
}

function graphOf(
  tasks: Record<string, GraphTask>,
  result = Object.keys(tasks).at(-1) ?? "",
): Graph {
  return { tasks, result };
}

function birthOf({ births }: Expansion, name: string): Birth {
  const birth = births.find(({ identity }) => identity.place?.name === name);
  if (birth === undefined) throw new Error(`nobody is called ${name}`);
  return birth;
}

/** Who waits for whom, and whose ends end the parent, by names. */
function shapeOf({ births, members }: Expansion) {
  const names = new Map(births.map(({ identity }) => [identity.id, identity.place?.name]));
  return {
    edges: Object.fromEntries(
      births.map(({ identity, dependsOn }) => [
        identity.place?.name,
        dependsOn.map((id) => names.get(id)),
      ]),
    ),
    members: members.map((id) => names.get(id)),
  };
}

describe("a graph is laid out", () => {
  test("as tasks of its parent", () => {
    const a: GraphTask = {
      ...job,
      version: "3",
      input: { x: 1 },
      refs: [{ at: "/y", input: true, path: "/in" }],
      priority: 1,
      labels: { l: "1" },
      metadata: { m: [1] },
    };
    const { births } = expandGraph(graphOf({ a }), { ...optionsOf(), input: { in: 2 } });
    expect(births).toEqual([
      {
        vertex: a,
        version: "3",
        dependsOn: [],
        isBlocked: false,
        identity: {
          id: "id-0",
          namespace: "space",
          definition: "job",
          key: null,
          priority: 1,
          input: '{"x":1,"y":2}',
          labels: '{"l":"1"}',
          metadata: '{"m":[1]}',
          root: "root",
          parent: "parent",
          trace: "trace",
          createdAt: 1_000,
          place: { kind: "task", name: "a", graph: null, depth: 3, isAwaited: true },
        },
      },
    ]);
  });

  test("with the edges that sources and after draw", () => {
    const graph = graphOf(
      {
        a: job,
        b: { ...job, refs: [{ at: "", all: [{ task: "a" }, { of: { task: "a" } }] }] },
        c: { ...job, after: ["a"], when: { task: "b" } },
        d: job,
      },
      "b",
    );
    const expansion = expandGraph(graph, { ...optionsOf(), input: null });
    expect(shapeOf(expansion)).toEqual({
      edges: { a: [], b: ["a"], c: ["a", "b"], d: [] },
      members: ["a", "b", "c", "d"],
    });
  });

  test("with inputs as they stand for those that are blocked", () => {
    const refs = [{ at: "/x", input: true, preprocessor: "p" }] as const;
    const graph = graphOf({
      a: { ...job, input: { kept: 1 }, refs },
      b: { ...job, when: { input: true } },
      c: { ...job, input: 5 },
    });
    const expansion = expandGraph(graph, { ...optionsOf(), input: 1 });
    const seen = expansion.births.map(({ identity, isBlocked }) => [identity.input, isBlocked]);
    expect(seen).toEqual([
      ['{"kept":1}', true],
      ["null", true],
      ["5", false],
    ]);
  });

  test("with graphs, eaches and registered pipelines as tasks that others do", () => {
    const inner = graphOf({ x: job });
    const other = graphOf({ y: job });
    const graph = graphOf({
      within: { graph: inner },
      many: { each: inner },
      named: { definition: "known", version: "2" },
      latest: { definition: "known" },
      plain: { definition: "unknown" },
    });
    const pipelines = [
      [pipelineKey({ definition: "known", version: "2" }), { version: "2", graph: other }],
      [pipelineKey({ definition: "known" }), { version: "3", graph: inner }],
    ] as const;
    const { births } = expandGraph(graph, { ...optionsOf(pipelines), input: null });
    const seen = births.map(({ version, identity: { definition, place } }) => {
      return [definition, version, place?.kind, JSON.parse(place?.graph ?? "null")];
    });
    expect(seen).toEqual([
      ["pipeline", "", "pipeline", inner],
      ["each", "", "each", inner],
      ["known", "2", "pipeline", other],
      ["known", "3", "pipeline", inner],
      ["unknown", "", "task", null],
    ]);
  });

  test("not when an input that it fills in grows too large", async () => {
    const refs = ["/a", "/b"].map((at) => ({ at, input: true as const }));
    const input = "x".repeat(limits.payloadBytesMax - 10);
    const laying = async () =>
      expandGraph(graphOf({ a: { ...job, refs } }), { ...optionsOf(), input });
    expect(await errorOf(laying())).toMatchObject({ code: "too-large" });
  });

  test("under names that objects inherit", () => {
    const graph = JSON.parse(
      '{"tasks":{"__proto__":{"definition":"job"},"b":{"definition":"job","after":["__proto__"]}},"result":"b"}',
    );
    const expansion = expandGraph(graph, { ...optionsOf(), input: null });
    expect(shapeOf(expansion).edges["b"]).toEqual(["__proto__"]);
  });
});

describe("an each is laid out", () => {
  const graph = graphOf({
    a: { ...job, refs: [{ at: "", all: [{ item: true }, { input: true }] }] },
    b: { ...job, after: ["a"] },
  });

  test("as a copy for each item, named by its index", () => {
    const items = ["x", "y"];
    const expansion = expandEach(graph, { ...optionsOf(), items, given: 9 });
    expect(shapeOf(expansion)).toEqual({
      edges: { "0.a": [], "0.b": ["0.a"], "1.a": [], "1.b": ["1.a"] },
      members: ["0.a", "0.b", "1.a", "1.b"],
    });
    expect(birthOf(expansion, "1.a").identity.input).toBe('["y",9]');
    expect(birthOf(expansion, "1.a").isBlocked).toBe(false);
  });

  test("as nothing for no items", () => {
    expect(expandEach(graph, { ...optionsOf(), items: [], given: null })).toEqual({
      births: [],
      members: [],
    });
  });

  test("with a limit: what begins a copy waits for all that ends an earlier one", () => {
    const wide = graphOf({ a: job, b: job, c: { ...job, after: ["a"] } }, "a");
    const items = Array.from({ length: 5 }, (_, index) => index);
    const { edges } = shapeOf(expandEach(wide, { ...optionsOf(), items, given: null, limit: 2 }));
    expect(edges).toMatchObject({ "0.a": [], "0.b": [], "1.a": [], "1.b": [] });
    for (const index of [2, 3, 4]) {
      const before = ["a", "b", "c"].map((name) => `${index - 2}.${name}`);
      expect(edges[`${index}.a`]).toEqual(before);
      expect(edges[`${index}.b`]).toEqual(before);
      expect(edges[`${index}.c`]).toEqual([`${index}.a`]);
    }
  });

  test("with a limit: later copies are blocked, and filled in when they begin", () => {
    const items = ["x", "y"];
    const expansion = expandEach(graph, { ...optionsOf(), items, given: null, limit: 1 });
    expect(birthOf(expansion, "0.a")).toMatchObject({ isBlocked: false });
    expect(birthOf(expansion, "1.a")).toMatchObject({ isBlocked: true });
    expect(birthOf(expansion, "1.a").identity.input).toBe("null");
  });

  test.each([5, 6, 100])("a limit of %i holds nobody back among five", (limit) => {
    const items = Array.from({ length: 5 }, (_, index) => index);
    const expansion = expandEach(graph, { ...optionsOf(), items, given: null, limit });
    expect(expansion.births.filter(({ isBlocked }) => isBlocked)).toHaveLength(5);
    expect(birthOf(expansion, "4.a").dependsOn).toEqual([]);
  });
});

test.each<[tasks: Record<string, GraphTask>, result: string, sinks: readonly string[]]>([
  [{ a: job }, "a", ["a"]],
  [{ a: job, b: { ...job, after: ["a"] } }, "b", ["b"]],
  [{ a: job, b: { ...job, after: ["a"] } }, "a", ["a", "b"]],
  [{ a: job, b: job }, "a", ["a", "b"]],
  [{ a: job, b: { ...job, when: { task: "a" } }, c: { ...job, after: ["a"] } }, "b", ["b", "c"]],
])("of %j with result %s the sinks are %j", (tasks, result, sinks) => {
  expect([...sinksOf({ tasks, result })]).toEqual(sinks);
});

test.each<[vertex: GraphTask, isIt: boolean]>([
  [job, true],
  [{ ...job, refs: [{ at: "", input: true }] }, true],
  [{ ...job, refs: [{ at: "", all: [{ item: true, path: "/x" }] }] }, true],
  [{ ...job, refs: [{ at: "", all: [{ task: "a" }] }] }, false],
  [{ ...job, refs: [{ at: "", of: { input: true, preprocessor: "p" } }] }, false],
  [{ ...job, after: ["a"] }, false],
  [{ ...job, after: [] }, true],
  [{ ...job, when: { input: true } }, false],
])("%j is plain: %j", (vertex, isIt) => {
  expect(isPlain(vertex)).toBe(isIt);
});

test("a task finds its place again by its name", () => {
  const graph = graphOf({ "a.b": job, "0.a": { ...job, input: 1 }, a: { ...job, input: 2 } });
  const place = (kind: "pipeline" | "each") => ({ kind, graph });
  const at = (name: string, kind: "pipeline" | "each") => positionOf(name, place(kind));
  expect(at("a.b", "pipeline")).toEqual({ vertex: job, item: null });
  expect(at("0.a", "pipeline")).toEqual({ vertex: { ...job, input: 1 }, item: null });
  expect(at(nameOf("a", 12), "each")).toEqual({ vertex: { ...job, input: 2 }, item: 12 });
  expect(at(nameOf("a.b", 3), "each")).toEqual({ vertex: job, item: 3 });
  expect(at(nameOf("0.a", 3), "each")).toEqual({ vertex: { ...job, input: 1 }, item: 3 });
  expect(at("nobody", "pipeline")).toBeNull();
  expect(at("job#1", "each")).toBeNull();
});

test.each([
  [undefined, false],
  [limits.treeDepthMax - 1, false],
  [limits.treeDepthMax, true],
])("a parent at depth %j is too deep: %j", (depth, isIt) => {
  const place = { kind: "pipeline", name: null, graph: null, isAwaited: false } as const;
  const { place: _, ...alone } = parent;
  expect(isTooDeep(depth === undefined ? alone : { ...alone, place: { ...place, depth } })).toBe(
    isIt,
  );
});
