import * as v from "valibot";
import { describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import type { Call } from "../../sdk/call.ts";
import { type InputOf, type OutputOf, task } from "../../sdk/definition.ts";

const download = task("download", { input: z.object({ url: z.url() }) }, async ({ url }, ctx) => {
  expectTypeOf(url).toEqualTypeOf<string>();
  expectTypeOf(ctx.abortSignal).toEqualTypeOf<AbortSignal>();
  return { body: url };
});
const resize = task(
  "resize",
  { input: v.object({ width: v.number() }), retry: { maxAttempts: 2, min: "1s" }, timeout: "30s" },
  ({ width }) => width * 2,
);

describe("a definition's types", () => {
  test("come from a zod schema and the function's return", () => {
    expectTypeOf(download).returns.toEqualTypeOf<Call<{ body: string }>>();
    expectTypeOf<InputOf<typeof download>>().toEqualTypeOf<{ url: string }>();
    expectTypeOf<OutputOf<typeof download>>().toEqualTypeOf<{ body: string }>();
    // @ts-expect-error: the field is called url
    download({ uri: "https://example.org" });
    // @ts-expect-error: a required input
    download();
  });

  test("come from a valibot schema and the function's return", () => {
    expectTypeOf(resize).returns.toEqualTypeOf<Call<number>>();
    // @ts-expect-error: width is a number
    resize({ width: "2" });
  });

  test("tell what a schema takes from what it gives", () => {
    const length = task(
      "length",
      { input: z.string().transform((text) => text.length) },
      (chars) => {
        expectTypeOf(chars).toEqualTypeOf<number>();
        return chars;
      },
    );
    expectTypeOf<InputOf<typeof length>>().toEqualTypeOf<string>();
  });

  test("hold the function to the output schema", () => {
    const counted = task("counted", { output: z.object({ n: z.number().default(0) }) }, () => ({}));
    expectTypeOf(counted).returns.toEqualTypeOf<Call<{ n: number }>>();
    // @ts-expect-error: n is a number
    task("miscounted", { output: z.object({ n: z.number() }) }, () => ({ n: "1" }));
  });

  test("come from the function alone where there is no schema", () => {
    const greet = task("greet", {}, async (input: { name: string }) => `hello ${input.name}`);
    expectTypeOf(greet).returns.toEqualTypeOf<Call<string>>();
    // @ts-expect-error: name is required
    greet({});
    const untyped = task("untyped", {}, async (input, ctx) => {
      expectTypeOf(input).toEqualTypeOf<unknown>();
      return ctx.attempt;
    });
    untyped();
    expectTypeOf(untyped).returns.toEqualTypeOf<Call<number>>();
  });

  test("take durations by unit only", () => {
    // @ts-expect-error: no such unit
    expect(() => task("slow", { timeout: "3 fortnights" }, () => 1)).toThrow("not a duration");
  });
});
