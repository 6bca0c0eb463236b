import { describe, expect, test } from "vitest";
import { isPointer, pick, putAll } from "../../../runtime/graph/pointer.ts";
import { errorOf } from "../../support/outcome.ts";

const put = (into: unknown, at: string, given: unknown): unknown =>
  putAll(into, [{ at, value: given }]);

const value = {
  a: { b: [10, { c: 20 }], n: null },
  "a/b": 1,
  "m~n": 2,
  "": { "": 3 },
  "~1": 4,
};

describe("pick", () => {
  test.each<[pointer: string, found: unknown]>([
    ["", value],
    ["/a/b", [10, { c: 20 }]],
    ["/a/b/0", 10],
    ["/a/b/1/c", 20],
    ["/a~1b", 1],
    ["/m~0n", 2],
    ["/", { "": 3 }],
    ["//", 3],
    // First `~1`, then `~0`: the other way round this would be "/".
    ["/~01", 4],
  ])("finds what is at %j", (pointer, found) => {
    expect(pick(value, pointer)).toEqual(found);
  });

  test.each([
    "/x",
    "/x/y/z",
    "/a/n",
    "/a/n/m",
    "/a/b/2",
    "/a/b/-",
    "/a/b/-1",
    "/a/b/01",
    "/a/b/0/0",
    "/a/b/length",
    "/__proto__",
    "/constructor/prototype",
    "/a/b/map",
  ])("finds null at %j", (pointer) => {
    expect(pick(value, pointer)).toBeNull();
  });

  test.each([null, undefined, 1, "text", true])("finds null in %j", (given) => {
    expect(pick(given, "/length")).toBeNull();
  });

  test("finds a member that is called __proto__", () => {
    expect(pick(JSON.parse('{"__proto__":{"x":1}}'), "/__proto__/x")).toBe(1);
  });
});

describe("put", () => {
  test.each<[before: unknown, pointer: string, after: unknown]>([
    [{ a: 1 }, "", "new"],
    [{ a: 1 }, "/a", { a: "new" }],
    [{ a: 1 }, "/b", { a: 1, b: "new" }],
    [{ a: 1 }, "/b/c/d", { a: 1, b: { c: { d: "new" } } }],
    [{ a: 1 }, "/a/b", { a: { b: "new" } }],
    [null, "/a", { a: "new" }],
    [undefined, "/a", { a: "new" }],
    ["text", "/0", { "0": "new" }],
    [{}, "/a~1b/m~0n", { "a/b": { "m~n": "new" } }],
    [{}, "/", { "": "new" }],
    [[1, 2], "/0", ["new", 2]],
    [[1, 2], "/2", [1, 2, "new"]],
    [[1, 2], "/-", [1, 2, "new"]],
    [[], "/0/a", [{ a: "new" }]],
    [{ list: [{ a: 1 }, 2] }, "/list/0/b", { list: [{ a: 1, b: "new" }, 2] }],
  ])("into %j at %j", (before, pointer, after) => {
    expect(put(before, pointer, "new")).toEqual(after);
  });

  test.each(["/x", "/", "/1e0", "/0x1", "/-1", "/01", "/3", "/4294967290", "/length", "/1.5"])(
    "refuses the place %j of a list of two",
    async (pointer) => {
      const error = await errorOf((async () => put([1, 2], pointer, "new"))());
      expect(error).toMatchObject({ code: "invalid-params" });
    },
  );

  test("leaves the value as it was, and shares what is not on the way", () => {
    const before = Object.freeze({ a: Object.freeze([1]), b: Object.freeze({ c: 2 }) });
    const after = put(before, "/b/c", 3) as typeof before;
    expect(before).toEqual({ a: [1], b: { c: 2 } });
    expect(after).toEqual({ a: [1], b: { c: 3 } });
    expect(after.a).toBe(before.a);
  });

  test("makes a member that is called __proto__, and no prototype", () => {
    const made = put({}, "/__proto__/polluted", true);
    expect(JSON.stringify(made)).toBe('{"__proto__":{"polluted":true}}');
    expect(Object.getPrototypeOf(made)).toBe(Object.prototype);
    expect({}).not.toHaveProperty("polluted");
    const again = put(made, "/x", 1);
    expect(JSON.stringify(again)).toBe('{"__proto__":{"polluted":true},"x":1}');
  });

  test("does not reach into what is inherited", () => {
    expect(put({}, "/constructor/x", 1)).toEqual({ constructor: { x: 1 } });
  });
});

test.each<[text: unknown, isIt: boolean]>([
  ["", true],
  ["/", true],
  ["/a/b~0/~1c", true],
  ["/\n/😀", true],
  ["a", false],
  ["a/b", false],
  ["/~", false],
  ["/~2", false],
  ["/a~", false],
  [7, false],
  [null, false],
  [undefined, false],
])("%j is a pointer: %j", (text, isIt) => {
  expect(isPointer(text)).toBe(isIt);
});

// Backtracking over this took longer than anybody lives: each slash doubled it.
test("what is almost a pointer is told at once", () => {
  expect(isPointer(`${"/".repeat(100_000)}~`)).toBe(false);
});

test("a pointer deeper than a value may be is none", () => {
  expect(isPointer("/a".repeat(64))).toBe(true);
  expect(isPointer("/a".repeat(65))).toBe(false);
});

test("twenty thousand places in one large value are filled at once", () => {
  const large = Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`k${n}`, 1]));
  const startedAt = performance.now();
  const filled = putAll(
    large,
    Object.keys(large).map((name) => ({ at: `/${name}`, value: 2 })),
  );
  // Copied for each place it took minutes: no close look at the time is meant.
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  expect(new Set(Object.values(filled as object))).toEqual(new Set([2]));
});

test("places below one that was just filled belong to the copy alone", () => {
  const shared = { x: 1 };
  const filled = putAll({}, [
    { at: "/a", value: shared },
    { at: "/b", value: shared },
    { at: "/a/x", value: 2 },
    { at: "/a/y/z", value: 3 },
  ]);
  expect(filled).toEqual({ a: { x: 2, y: { z: 3 } }, b: { x: 1 } });
  expect(shared).toEqual({ x: 1 });
});
