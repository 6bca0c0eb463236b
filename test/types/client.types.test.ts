import * as v from "valibot";
import { describe, expectTypeOf, test } from "vitest";
import { z } from "zod";
import type { Kantoku } from "../../sdk/client/kantoku.ts";
import { task } from "../../sdk/definition.ts";

const byZod = task("z", { input: z.object({ url: z.string() }) }, async ({ url }) => ({
  body: url,
}));
const byValibot = task("v", { input: v.object({ n: v.number() }) }, ({ n }) => [n]);

// Never called: the compiler alone runs this file's claims.
async function use(kantoku: Kantoku) {
  expectTypeOf(await kantoku.run(byZod({ url: "x" }))).toEqualTypeOf<{ body: string }>();
  expectTypeOf(await kantoku.run(byValibot({ n: 1 }))).toEqualTypeOf<number[]>();
  expectTypeOf(await kantoku.run({ definition: "by-name", input: 1 })).toEqualTypeOf<unknown>();
  const handle = await kantoku.submit(byZod({ url: "x" }), { timeout: "30s" });
  expectTypeOf(await handle.result()).toEqualTypeOf<{ body: string }>();
  for await (const event of handle.events()) expectTypeOf(event.seq).toEqualTypeOf<number>();
  await kantoku.work([byZod, byValibot], { slots: 2 });
  // @ts-expect-error: not a field of the schema
  await kantoku.run(byZod({ uri: "x" }));
  // @ts-expect-error: not a number
  await kantoku.run(byValibot({ n: "1" }));
  // @ts-expect-error: a definition is not a call
  await kantoku.run(byZod);
}

describe("a client's types", () => {
  test("follow from its calls", () => {
    expectTypeOf(use).returns.toEqualTypeOf<Promise<void>>();
  });
});
