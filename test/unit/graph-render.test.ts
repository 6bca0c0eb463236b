import { expect, test } from "vitest";
import { pictureOf } from "../../sdk/graph/picture.ts";
import { toMermaid, toTreeLines } from "../../sdk/graph/render.ts";
import type { GraphView } from "../../sdk/index.ts";

const view: GraphView = {
  root: "r",
  tasks: [
    { id: "r", name: "pipeline", kind: "pipeline", definition: "pipeline", status: "running" },
    { id: "b", name: "report", kind: "task", definition: "report", status: "waiting", parent: "r" },
    { id: "a", name: "thumbs", kind: "each", definition: "each", status: "succeeded", parent: "r" },
    { id: "a0", name: "0.it", kind: "task", definition: "re[1]", status: "failed", parent: "a" },
    { id: "a1", name: "1.it", kind: "task", definition: "size", status: "odd", parent: "a" },
  ],
  edges: [
    { from: "a", to: "b" },
    { from: "b", to: "r" },
    { from: "a0", to: "a" },
    { from: "a1", to: "a" },
    { from: "gone", to: "b" },
  ],
};

test("a tree has each task under its parent, behind those beside it that it waits for", () => {
  const lines = toTreeLines(view).map(
    ({ indent, task, after }) => `${indent}${task.name} <${after.join()}>`,
  );
  expect(lines).toEqual([
    "pipeline <>",
    "├─ thumbs <>",
    "│  ├─ 0.it <>",
    "│  └─ 1.it <>",
    "└─ report <thumbs>",
  ]);
});

test("Mermaid text has boxes, arrows, statuses, and nothing of a name that Mermaid would read", () => {
  expect(toMermaid(view).split("\n")).toEqual([
    "flowchart LR",
    '  subgraph t0["pipeline<br/>running"]',
    '    t1["report<br/>waiting"]',
    '    subgraph t2["thumbs: each<br/>succeeded"]',
    '      t3["0.it: re#91;1#93;<br/>failed"]:::failed',
    '      t4["1.it: size<br/>odd"]',
    "    end",
    "    class t2 succeeded",
    "  end",
    "  class t0 running",
    "  t2 --> t1",
    expect.stringMatching(/^ {2}classDef running /),
    expect.stringMatching(/^ {2}classDef succeeded /),
    expect.stringMatching(/^ {2}classDef failed /),
  ]);
});

test("a chain of ten thousand, listed backwards, is drawn forwards", () => {
  const ids = Array.from({ length: 10_000 }, (_, index) => `${index}`);
  const root = {
    id: "r",
    name: "r",
    kind: "pipeline",
    definition: "r",
    status: "running",
  } as const;
  const task = { kind: "task", definition: "x", status: "waiting", parent: "r" } as const;
  const lines = toTreeLines({
    root: "r",
    tasks: [root, ...ids.toReversed().map((id) => ({ id, name: id, ...task }))],
    edges: ids.slice(1).map((to, index) => ({ from: ids[index] ?? "", to })),
  });
  expect(lines.slice(1).map(({ task: { id } }) => id)).toEqual(ids);
});

test("a graph that does not run yet has a picture, too", () => {
  const picture = pictureOf("demo", {
    tasks: {
      last: {
        definition: "x",
        refs: [{ at: "", all: [{ of: { task: "inner" } }, { input: true }] }],
      },
      inner: { graph: { tasks: { a: { definition: "y" } }, result: "a" }, when: { task: "first" } },
      first: { definition: "z" },
    },
    result: "last",
  });
  expect(toTreeLines(picture).map(({ indent, task }) => indent + task.name)).toEqual([
    "demo",
    "├─ first",
    "├─ inner",
    "│  └─ a",
    "└─ last",
  ]);
});
