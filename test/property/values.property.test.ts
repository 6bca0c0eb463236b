import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { leastCharsOf } from "../../runtime/graph/size.ts";
import { isKantokuError } from "../../sdk/errors.ts";
import { limits } from "../../sdk/protocol/limits.ts";
import { canonicalJson } from "../../sdk/values/canonical.ts";
import { encodePayload } from "../../sdk/values/payload.ts";
import { toTaskError } from "../../sdk/values/task-error.ts";

const text = fc.string({ unit: "grapheme" }).filter((value) => !value.includes("\0"));
const number = fc.oneof(
  fc.maxSafeInteger(),
  fc
    .double({ noNaN: true, noDefaultInfinity: true, min: -(2 ** 53 - 1), max: 2 ** 53 - 1 })
    .map((value) => (Object.is(value, -0) ? 0 : value)),
);
const { accepted } = fc.letrec<{ accepted: unknown }>((tie) => ({
  accepted: fc.oneof(
    { maxDepth: 6 },
    text,
    number,
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("accepted"), { maxLength: 6 }),
    fc.dictionary(fc.oneof(text, fc.constantFrom("__proto__", "constructor")), tie("accepted"), {
      maxKeys: 6,
    }),
  ),
}));

const hostile = fc.constantFrom<unknown>(
  "\0",
  "x\ud800",
  2 ** 53,
  -(2 ** 60),
  Number.NaN,
  Number.NEGATIVE_INFINITY,
  1n,
  Symbol("s"),
  () => 1,
  new Map(),
  new Set(),
  new Date(),
  /x/,
  new Error("x"),
);
const place = fc.array(fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom("a", "bc", "_d")), {
  maxLength: 10,
});

function buried(value: unknown, at: readonly (string | number)[]): unknown {
  const [key, ...rest] = at;
  if (key === undefined) return value;
  const inner = buried(value, rest);
  if (typeof key === "string") return { before: 1, [key]: inner, after: [] };
  return [...new Array<number>(key).fill(0), inner];
}

function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).reverse();
  return Object.fromEntries(entries.map(([key, member]) => [key, shuffled(member)]));
}

describe("encodePayload", () => {
  test("writes what JSON reads back as the same value", () => {
    fc.assert(
      fc.property(accepted, (value) => {
        const encoded = encodePayload(value, { at: "input" });
        expect(JSON.parse(encoded)).toEqual(value);
        expect(encoded).toBe(JSON.stringify(value));
      }),
    );
  });

  test("refuses a hostile value wherever it lies, and names the place", () => {
    fc.assert(
      fc.property(hostile, place, (value, at) => {
        const path = at.reduce<string>(
          (written, key) => written + (typeof key === "number" ? `[${key}]` : `.${key}`),
          "input",
        );
        try {
          encodePayload(buried(value, at), { at: "input" });
        } catch (error) {
          expect(isKantokuError(error, "invalid-params")).toBe(true);
          expect((error as { data: unknown }).data).toMatchObject({ path });
          return;
        }
        expect.unreachable();
      }),
    );
  });

  test("accepts or refuses anything, and throws nothing but its own error", () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true }), (value) => {
        try {
          JSON.parse(encodePayload(value, { at: "input" }));
        } catch (error) {
          expect(isKantokuError(error)).toBe(true);
        }
      }),
    );
  });
});

describe("canonicalJson", () => {
  test("is one text whatever the order of keys, and reads back as the value", () => {
    fc.assert(
      fc.property(accepted, (value) => {
        const canonical = canonicalJson(value);
        expect(canonicalJson(shuffled(value))).toBe(canonical);
        expect(JSON.parse(canonical)).toEqual(value);
      }),
    );
  });
});

describe("leastCharsOf", () => {
  const { ofLetters } = fc.letrec<{ ofLetters: unknown }>((tie) => {
    const letters = fc.stringMatching(/^[a-z]*$/);
    return {
      ofLetters: fc.oneof(
        { maxDepth: 4 },
        letters,
        fc.array(tie("ofLetters")),
        fc.dictionary(letters, tie("ofLetters")),
      ),
    };
  });

  test("is never more than the text of a value", () => {
    fc.assert(
      fc.property(accepted, (value) => {
        expect(leastCharsOf(value, Infinity)).toBeLessThanOrEqual(JSON.stringify(value).length);
      }),
    );
  });

  test("is no less where lists and objects are of plain texts", () => {
    fc.assert(
      fc.property(ofLetters, (value) => {
        expect(leastCharsOf(value, Infinity)).toBe(JSON.stringify(value).length);
      }),
    );
  });

  test("is more than enough when it is counted no further, and only then", () => {
    fc.assert(
      fc.property(accepted, fc.nat(100), (value, enough) => {
        const all = leastCharsOf(value, Infinity);
        const counted = leastCharsOf(value, enough);
        expect(counted).toBeLessThanOrEqual(all);
        expect(counted > enough).toBe(all > enough);
      }),
    );
  });
});

describe("toTaskError", () => {
  const anyText = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: "binary", minLength: 1 }).map((unit) => unit.repeat(3000)),
    fc.constant("\u0001".repeat(5000)),
  );
  const { thrown } = fc.letrec<{ thrown: unknown }>((tie) => ({
    thrown: fc.oneof(
      { maxDepth: 12, depthSize: "max" },
      fc.anything(),
      fc
        .record({
          name: anyText,
          message: anyText,
          stack: anyText,
          code: fc.anything(),
          cause: tie("thrown"),
        })
        .map((facts) => Object.assign(new Error("x"), facts)),
    ),
  }));

  test("is well-formed plain data within its bounds, whatever was thrown", () => {
    fc.assert(
      fc.property(thrown, (value) => {
        const error = toTaskError(value);
        const encoded = encodePayload(error, { at: "error", bytesMax: limits.errorBytesMax });
        expect(JSON.parse(encoded)).toEqual(error);
        for (let level: typeof error | undefined = error; level; level = level.cause) {
          expect(Buffer.byteLength(level.message)).toBeLessThanOrEqual(limits.errorMessageBytesMax);
          expect(Buffer.byteLength(level.stack ?? "")).toBeLessThanOrEqual(8 * 1024);
        }
      }),
    );
  });
});
