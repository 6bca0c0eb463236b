import { describe, expect, test } from "vitest";
import { isKantokuError, type KantokuError, TerminalError } from "../../sdk/errors.ts";
import { limits } from "../../sdk/protocol/limits.ts";
import { canonicalJson } from "../../sdk/values/canonical.ts";
import { type Duration, toMs } from "../../sdk/values/duration.ts";
import { toEpochMs } from "../../sdk/values/instant.ts";
import { encodePayload } from "../../sdk/values/payload.ts";
import { fromTaskError, toTaskError, toTaskFailure } from "../../sdk/values/task-error.ts";

function refusalOf(value: unknown, bytesMax?: number): KantokuError {
  try {
    encodePayload(value, { at: "input", ...(bytesMax !== undefined && { bytesMax }) });
  } catch (error) {
    if (isKantokuError(error)) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = level % 2 ? { a: value } : [value];
  return value;
}

class Point {
  x = 1;
}

const cyclic: Record<string, unknown> = {};
cyclic["self"] = cyclic;

describe("encodePayload", () => {
  const refused: readonly [name: string, value: unknown, path: string][] = [
    ["NUL in a string", { a: ["x", "a\0b"] }, "input.a[1]"],
    ["NUL in a key", { "a\0": 1 }, 'input["a\\u0000"]'],
    ["a lone surrogate", { a: "\ud800" }, "input.a"],
    ["a lone surrogate in a key", { "\udc00": 1 }, 'input["\\udc00"]'],
    ["an unsafe integer", [2 ** 53], "input[0]"],
    ["an unsafe negative integer", [-(2 ** 53)], "input[0]"],
    ["NaN", { a: { b: Number.NaN } }, "input.a.b"],
    ["Infinity", { "x y": Number.POSITIVE_INFINITY }, 'input["x y"]'],
    ["a bigint", 1n, "input"],
    ["a function", { a: () => 1 }, "input.a"],
    ["a symbol", [Symbol("x")], "input[0]"],
    ["a Map", { a: new Map() }, "input.a"],
    ["a Set", new Set(), "input"],
    ["a Date", { at: new Date(0) }, "input.at"],
    ["a RegExp", [/x/], "input[0]"],
    ["an Error", { e: new Error("x") }, "input.e"],
    ["an author's class", { p: new Point() }, "input.p"],
    ["a boxed number", { n: Object(1) }, "input.n"],
    ["a typed array", { b: new Uint8Array(1) }, "input.b"],
    ["a promise", { p: Promise.resolve() }, "input.p"],
    ["undefined in an array", { a: [1, undefined, 3] }, "input.a[1]"],
    ["a hole in an array", { a: new Array(2) }, "input.a[0]"],
    ["toJSON of its own", { toJSON: () => 1 }, "input.toJSON"],
  ];

  test.each(refused)("refuses %s and names its path", (_, value, path) => {
    const refusal = refusalOf(value);
    expect(refusal.code).toBe("invalid-params");
    expect(refusal.data["path"]).toBe(path);
    expect(refusal.message).toContain(path);
    expect(refusal.message.isWellFormed()).toBe(true);
  });

  test("refuses a cycle", () => {
    expect(refusalOf(cyclic).message).toMatch(/input\.self\.self.*refers to itself/);
  });

  test("takes 64 levels and refuses the 65th", () => {
    expect(JSON.parse(encodePayload(nested(64), { at: "input" }))).toEqual(nested(64));
    expect(refusalOf(nested(65)).message).toContain("deeper than 64");
  });

  test("takes the limit of UTF-8 bytes and refuses one more", () => {
    const atLimit = "é".repeat(limits.payloadBytesMax / 2 - 1);
    expect(encodePayload(atLimit, { at: "input" })).toBe(`"${atLimit}"`);
    const refusal = refusalOf(`${atLimit}x`);
    expect(refusal.code).toBe("too-large");
    expect(refusal.data).toMatchObject({
      limit: limits.payloadBytesMax,
      bytes: limits.payloadBytesMax + 1,
    });
    expect(refusalOf("abc", 4).data).toMatchObject({ limit: 4, bytes: 5 });
  });

  test("gives up on shared objects that unfold without end", () => {
    let bomb: unknown = null;
    for (let level = 0; level < 60; level++) bomb = [bomb, bomb];
    expect(refusalOf(bomb).code).toBe("too-large");
  });

  test("keeps __proto__, constructor and prototype as harmless own data", () => {
    const hostile = '{"__proto__":{"polluted":true},"constructor":1,"prototype":[]}';
    expect(encodePayload(JSON.parse(hostile), { at: "input" })).toBe(hostile);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test("leaves out undefined properties, and writes a top-level undefined as null", () => {
    expect(encodePayload({ a: undefined, b: 1, c: undefined }, { at: "input" })).toBe('{"b":1}');
    expect(encodePayload(undefined, { at: "input" })).toBe("null");
  });

  test("takes objects without a prototype", () => {
    expect(encodePayload(Object.assign(Object.create(null), { a: 1 }), { at: "x" })).toBe(
      '{"a":1}',
    );
  });

  test("ignores a toJSON that a prototype was polluted with", () => {
    const polluted = Object.prototype as unknown as Record<string, unknown>;
    polluted["toJSON"] = () => "stolen";
    try {
      expect(encodePayload({ a: [1, "\n"] }, { at: "input" })).toBe('{"a":[1,"\\n"]}');
    } finally {
      delete polluted["toJSON"];
    }
  });

  test("wraps what a getter throws", () => {
    const trap = Object.defineProperty({}, "a", {
      enumerable: true,
      get: () => {
        throw new Error("gotcha");
      },
    });
    expect(refusalOf(trap)).toMatchObject({ code: "invalid-params", cause: { message: "gotcha" } });
  });
});

describe("toMs", () => {
  test.each<[Duration, number]>([
    [0, 0],
    [1500, 1500],
    ["250ms", 250],
    ["1.5s", 1500],
    ["2m", 120_000],
    ["1h", 3_600_000],
    ["1d", 86_400_000],
    ["2w", 1_209_600_000],
  ])("reads %s", (duration, ms) => {
    expect(toMs(duration)).toBe(ms);
  });

  test.each([
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1e300,
    "",
    "s",
    "5",
    "-5s",
    "1e3s",
    " 5s",
    "5 s",
    "5y",
    null,
  ])("refuses %j in words", (duration) => {
    expect(() => toMs(duration as Duration)).toThrow(
      expect.objectContaining({
        code: "invalid-params",
        message: expect.stringContaining("not a duration"),
      }),
    );
  });
});

describe("toEpochMs", () => {
  test.each<[number | Date, number]>([
    [0, 0],
    [1_750_000_000_000.4, 1_750_000_000_000],
    [new Date(7), 7],
  ])("reads %s", (instant, ms) => {
    expect(toEpochMs(instant)).toBe(ms);
  });

  test.each([
    new Date("tomorrow"),
    Number.NaN,
    Number.POSITIVE_INFINITY,
    "2026-08-01T00:00:00Z",
    // As numbers these would be 1970, and what was to start in a year would start at once.
    "2027",
    "",
    null,
    false,
    undefined,
  ])("refuses %s in words", (instant) => {
    expect(() => toEpochMs(instant as number)).toThrow(
      expect.objectContaining({
        code: "invalid-params",
        message: `not an instant: ${instant}; give a Date or epoch milliseconds`,
      }),
    );
  });
});

describe("canonicalJson", () => {
  test("orders keys by code unit at every level, and drops undefined", () => {
    const value = { b: [{ z: 1, a: undefined, y: null }], "\u20ac": 1, "\r": 2, a: "\u000f" };
    expect(canonicalJson(value)).toBe('{"\\r":2,"a":"\\u000f","b":[{"y":null,"z":1}],"€":1}');
  });

  test("writes numbers as ECMAScript does", () => {
    expect(canonicalJson([1e21, 0.000001, 1e-7, -0, 333333333.3333333, 4.5])).toBe(
      "[1e+21,0.000001,1e-7,0,333333333.3333333,4.5]",
    );
  });
});

describe("toTaskError", () => {
  test("carries name, message, frames, code and retryable", () => {
    class ChargeError extends Error {
      code = "card-declined";
      retryable = false;
    }
    const error = toTaskError(new ChargeError("no funds"));
    expect(error).toMatchObject({
      name: "ChargeError",
      message: "no funds",
      code: "card-declined",
      retryable: false,
    });
    expect(error.stack).toMatch(/^\s+at .*sdk-values\.test\.ts/);
    expect(toTaskError(new TerminalError("stop"))).toMatchObject({ retryable: false });
  });

  test.each([
    [null, "null"],
    [undefined, "undefined"],
    ["plain", "plain"],
    [42, "42"],
    [Symbol("s"), "Symbol(s)"],
    [10n, "10"],
  ])("takes a thrown %s", (thrown, message) => {
    expect(toTaskError(thrown)).toEqual({ name: "NonError", message });
  });

  test("calls no getter and no toJSON", () => {
    const calls: string[] = [];
    const trap = {};
    for (const key of ["name", "message", "stack", "cause", "code", "retryable", "toJSON"]) {
      Object.defineProperty(trap, key, { enumerable: true, get: () => calls.push(key) });
    }
    expect(toTaskError(trap)).toMatchObject({ name: "Object" });
    expect(calls).toEqual([]);
  });

  test("survives a proxy whose every trap throws", () => {
    const boom = () => {
      throw new Error("trap");
    };
    const handler = new Proxy({}, { get: () => boom });
    expect(toTaskError(new Proxy(new Error("x"), handler))).toMatchObject({ name: "Error" });
  });

  test("bounds a message of 50 MB, in bytes, and keeps the frames", () => {
    const error = toTaskError(new Error("é".repeat(25_000_000)));
    expect(new TextEncoder().encode(error.message).length).toBeLessThanOrEqual(1024);
    expect(error.message.endsWith("…")).toBe(true);
    expect(error.stack).toContain("sdk-values.test.ts");
  });

  test("keeps at most 50 frames", () => {
    const error = new Error("deep");
    error.stack = `Error: deep\n${"    at f (file.ts:1:1)\n".repeat(200)}`;
    expect(toTaskError(error).stack?.split("\n")).toHaveLength(50);
  });

  test("ends a cyclic chain of causes, and one of a hundred", () => {
    const one = new Error("one");
    one.cause = new Error("two", { cause: one });
    expect(toTaskError(one).cause?.message).toBe("two");
    expect(toTaskError(one).cause?.cause).toBeUndefined();
    let chain = new Error("0");
    for (let level = 1; level < 100; level++) chain = new Error(`${level}`, { cause: chain });
    let depth = 0;
    for (let error = toTaskError(chain).cause; error; error = error.cause) depth += 1;
    expect(depth).toBe(5);
  });

  test("replaces NUL and lone surrogates", () => {
    expect(toTaskError(new Error("a\0b\ud800")).message).toBe("a\ufffdb\ufffd");
  });
});

describe("toTaskFailure", () => {
  test("is a task-failed with the author's error as cause", () => {
    const error = toTaskError(new RangeError("off", { cause: "why" }));
    const failure = toTaskFailure({ task: "t1", error });
    expect(failure).toMatchObject({ code: "task-failed", data: { task: "t1", error } });
    expect(failure.cause).toBeInstanceOf(Error);
    expect(failure.cause).toMatchObject({ name: "RangeError", message: "off" });
    expect(toTaskError(fromTaskError(error))).toEqual(error);
  });
});
