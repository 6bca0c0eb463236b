import { describe, expect, test } from "vitest";
import { fill, fillPlain, holds, type Preprocess } from "../../../runtime/graph/evaluate.ts";
import type { Condition, Source } from "../../../sdk/protocol/graph.ts";

const outputs: Readonly<Record<string, unknown>> = {
  page: { body: "text", list: [1, 2] },
  nothing: null,
};

const scope = {
  input: { in: 1 },
  item: { it: 2 },
  valueOf: (task: string) => outputs[task] ?? null,
};

/** Says what it was given. */
const preprocess: Preprocess = async (source, value) => ({ [source]: value });

const plain: readonly [source: Source, value: unknown][] = [
  [{ task: "page" }, { body: "text", list: [1, 2] }],
  [{ task: "page", path: "/list/1" }, 2],
  [{ task: "page", path: "/absent/deep" }, null],
  [{ task: "nothing" }, null],
  [{ input: true }, { in: 1 }],
  [{ input: true, path: "/in" }, 1],
  [{ item: true, path: "/it" }, 2],
  [{ of: { of: { task: "page", path: "/list" }, path: "/0" }, path: "" }, 1],
  [{ all: [] }, []],
  [
    {
      all: [
        { task: "page", path: "/body" },
        { input: true, path: "/in" },
      ],
    },
    ["text", 1],
  ],
  [{ all: [{ task: "page" }, { item: true }], path: "/1/it" }, 2],
  [{ all: { a: { input: true, path: "/in" }, b: { all: [] } } }, { a: 1, b: [] }],
];

describe("a source", () => {
  test.each(plain)("%j", async (source, value) => {
    expect(fillPlain("template", [{ ...source, at: "" }], scope)).toEqual(value);
    const ref = { ...source, at: "" };
    expect(await fill("template", [ref], { scope, preprocess })).toEqual(value);
  });

  test.each<[source: Source, value: unknown]>([
    // The path is picked first.
    [{ task: "page", path: "/body", preprocessor: "p" }, { p: "text" }],
    [
      { of: { task: "page", path: "/body", preprocessor: "p" }, path: "/p", preprocessor: "q" },
      { q: "text" },
    ],
    [
      { all: [{ input: true, preprocessor: "p" }, { item: true }], preprocessor: "q" },
      { q: [{ p: { in: 1 } }, { it: 2 }] },
    ],
    [
      { all: { a: { input: true, path: "/in", preprocessor: "p" }, b: { task: "page" } } },
      { a: { p: 1 }, b: outputs["page"] },
    ],
  ])("with preprocessors %j", async (source, value) => {
    const filled = await fill(null, [{ ...source, at: "" }], { scope, preprocess });
    expect(filled).toEqual(value);
  });

  test("outside an each has no item", () => {
    const outside = { input: 1, valueOf: () => null };
    expect(fillPlain(null, [{ at: "", item: true }], outside)).toBeNull();
  });

  test("joins parts under names that objects inherit", () => {
    const all = JSON.parse('{"__proto__":{"input":true},"constructor":{"item":true}}');
    expect(JSON.stringify(fillPlain(null, [{ at: "", all }], scope))).toBe(
      '{"__proto__":{"in":1},"constructor":{"it":2}}',
    );
  });
});

test("refs fill an input in their order", async () => {
  const template = { keep: true, list: [null, null] };
  const refs = [
    { at: "/list/0", input: true, path: "/in" },
    { at: "/list/1", task: "page", path: "/body", preprocessor: "p" },
    { at: "/deep/down", item: true, path: "/it" },
    { at: "/keep", task: "nothing" },
  ] as const;
  const filled = { keep: null, list: [1, { p: "text" }], deep: { down: 2 } };
  expect(await fill(template, refs, { scope, preprocess })).toEqual(filled);
  expect(template).toEqual({ keep: true, list: [null, null] });
});

test("preprocessors of one input run side by side", async () => {
  let underWay = 0;
  let most = 0;
  const slow: Preprocess = async (_, value) => {
    underWay += 1;
    most = Math.max(most, underWay);
    await new Promise((resolve) => setImmediate(resolve));
    underWay -= 1;
    return value;
  };
  const refs = ["/a", "/b", "/c"].map((at) => ({ at, input: true as const, preprocessor: "p" }));
  await fill({}, refs, { scope, preprocess: slow });
  expect(most).toBe(3);
});

const given = { on: true, zero: 0, empty: "", list: [], text: "x", deep: { b: 1, a: [2.0] } };

test.each<[condition: Condition, isIt: boolean]>([
  [{ input: true, path: "/on" }, true],
  [{ input: true, path: "/zero" }, false],
  [{ input: true, path: "/empty" }, false],
  [{ input: true, path: "/absent" }, false],
  [{ input: true, path: "/list" }, true],
  [{ input: true, path: "/text", equals: "x" }, true],
  [{ input: true, path: "/text", equals: "y" }, false],
  [{ input: true, path: "/zero", equals: 0 }, true],
  [{ input: true, path: "/zero", equals: false }, false],
  [{ input: true, path: "/on", equals: 1 }, false],
  [{ input: true, path: "/absent", equals: null }, true],
  [{ input: true, path: "/deep", equals: { a: [2], b: 1 } }, true],
  [{ input: true, path: "/deep", equals: { a: [2] } }, false],
])("%j holds: %j", async (condition, isIt) => {
  const asked = { scope: { input: given, valueOf: () => null }, preprocess };
  expect(await holds(condition, asked)).toBe(isIt);
});

test("a condition may be a preprocessor's answer", async () => {
  const answers = { scope, preprocess: async () => false };
  expect(await holds({ input: true, preprocessor: "p" }, answers)).toBe(false);
  expect(await holds({ input: true, preprocessor: "p", equals: false }, answers)).toBe(true);
});
