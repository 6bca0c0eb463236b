import { expect, test } from "vitest";
import { checkGraph } from "../../../runtime/graph/check.ts";
import type { Graph } from "../../../sdk/protocol/graph.ts";

const options = { checkSource: () => [], checkVertex: () => [] };

test("a member that nobody reads is a problem, wherever it stands", () => {
  const graph = {
    tasks: {
      a: { definition: "job", onFailue: "allow" },
      b: { definition: "job", refs: [{ at: "", task: "a", paht: "/x" }], limit: 3 },
      c: { each: { tasks: { d: { definition: "job" } }, result: "d", reslut: 1 }, version: "1" },
      e: { definition: "job", when: { all: [{ task: "a", at: "" }], equal: 1 } },
    },
    result: "a",
    name: "x",
  } as unknown as Graph;
  expect(checkGraph(graph, options).map(({ path }) => path)).toEqual([
    "graph.name",
    "graph.tasks.a.onFailue",
    "graph.tasks.b.limit",
    "graph.tasks.b.refs[0].paht",
    "graph.tasks.c.version",
    "graph.tasks.c.each.reslut",
    "graph.tasks.e.when.equal",
    "graph.tasks.e.when.all.0.at",
  ]);
});
