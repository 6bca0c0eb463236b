import { describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import type { Call } from "../../sdk/call.ts";
import type { Kantoku } from "../../sdk/client/kantoku.ts";
import { task } from "../../sdk/definition.ts";
import { all } from "../../sdk/graph/all.ts";
import { each } from "../../sdk/graph/each.ts";
import { pipeline } from "../../sdk/graph/pipeline.ts";
import type { Pending, Reference } from "../../sdk/graph/reference.ts";
import type { TaskError } from "../../sdk/protocol/task.ts";

interface Page {
  readonly body: string;
  readonly status: 200 | 404;
  readonly images: readonly { readonly url: string; readonly alt?: string }[];
  readonly pair: readonly [number, string];
  readonly next: { readonly url: string } | null;
}

const url = z.object({ url: z.string() });
const download = task(
  "download",
  { input: url },
  async ({ url: body }): Promise<Page> => ({
    body,
    status: 200,
    images: [],
    pair: [1, ""],
    next: null,
  }),
);
const count = task("count", { input: z.object({ text: z.string() }) }, () => ({ total: 1 }));
const resize = task(
  "resize",
  { input: z.object({ url: z.string(), size: z.number().optional() }) },
  () => "thumb",
);
const join = task("join", {}, (input: { sum: number; titles?: string[] }) => input.sum);
const flag = task("flag", {}, (input: { on: boolean; kind: "a" | "b" | null }) => input.on);
const page = download({ url: "x" });

describe("a call's types", () => {
  test("follow what stands in its input", () => {
    expectTypeOf(page).toEqualTypeOf<Call<Page>>();
    expectTypeOf(count({ text: page.output.body })).toEqualTypeOf<Call<{ total: number }>>();
    download(page.map(({ body }) => ({ url: body })));
    join({ sum: count({ text: "x" }).output.total, titles: ["a", page.output.body] });
    flag({ on: page.map(({ status }) => status === 200), kind: "a" });
    flag(page.map(() => ({ on: true, kind: null })));
    join(all({ a: count({ text: "x" }) }).map(({ a }) => ({ sum: a.total })));
    // @ts-expect-error: no such field
    count({ text: page.output.bodi });
    // @ts-expect-error: a number where a text is wanted
    count({ text: count({ text: "x" }).output.total });
    // @ts-expect-error: the whole output has another shape
    count(page);
    // @ts-expect-error: the function gives another shape
    count(page.map(({ body }) => ({ test: body })));
    // @ts-expect-error: what is there already is checked as before
    count({ text: 1 });
    // @ts-expect-error: a text has no fields
    count({ text: page.output.body.length });
    // @ts-expect-error: a definition is not a call
    join({ sum: count });
  });

  test("know what may not be found", () => {
    expectTypeOf(page.output.next.url).toEqualTypeOf<Pending<string | null>>();
    expectTypeOf(page.output.pair[0]).toEqualTypeOf<Pending<number>>();
    page.output.images.map((images) => expectTypeOf(images).toEqualTypeOf<Page["images"]>());
    // @ts-expect-error: null where a text is wanted
    count({ text: page.output.next.url });
    // @ts-expect-error: a list is not looked into by its methods
    page.output.images.filter;
  });

  test("follow what was said of failure", () => {
    expectTypeOf(page.onFailure("allow")).toEqualTypeOf<Call<Page | null>>();
    expectTypeOf(page.onFailure("fail")).toEqualTypeOf<Call<Page>>();
    const kept = page.onFailure("continue");
    expectTypeOf(kept).toEqualTypeOf<Call<Page | { readonly error: TaskError }>>();
    expectTypeOf(kept.output.error).toEqualTypeOf<Pending<TaskError | null>>();
    expectTypeOf(kept.output.body).toEqualTypeOf<Pending<string | null>>();
    count(kept.map((it) => ({ text: "error" in it ? it.error.message : it.body })));
    // @ts-expect-error: there may be none
    count({ text: kept.output.body });
  });

  test("stay through order, condition and options", () => {
    const call = count({ text: "x" })
      .after(page, flag({ on: true, kind: null }))
      .when(page.output.status, { equals: 200 })
      .with({ timeout: "3s" });
    expectTypeOf(call).toEqualTypeOf<Call<{ total: number }>>();
    expectTypeOf(call).toExtend<Call>();
    // @ts-expect-error: never equal
    expect(() => count({ text: "x" }).when(page.output.status, { equals: 500 })).not.toThrow();
    // @ts-expect-error: a value to come has no end of its own
    expect(() => count({ text: "x" }).after(page.output)).toThrow();
  });
});

describe("joined values", () => {
  test("keep their names or their order", () => {
    const words = count({ text: "x" });
    expectTypeOf(all({ page, words: words.output.total })).toExtend<
      Reference<{ page: Page; words: number }>
    >();
    all([page, words]).map((both) => expectTypeOf(both).toEqualTypeOf<[Page, { total: number }]>());
    expectTypeOf(all({ words }).words.total).toEqualTypeOf<Pending<number>>();
  });
});

describe("each", () => {
  test("takes its item from the list, its output from the body", () => {
    const thumbs = each(page.output.images, (image) => {
      expectTypeOf(image).toEqualTypeOf<Pending<{ readonly url: string; readonly alt?: string }>>();
      return resize({ url: image.url, size: page.output.pair[0] });
    });
    expectTypeOf(thumbs).toEqualTypeOf<Call<string[]>>();
    expectTypeOf(each(["a"], (it) => resize({ url: it }))).toEqualTypeOf<Call<string[]>>();
    each([page, download({ url: "y" })], ({ body }) => count({ text: body }));
    // @ts-expect-error: no such field
    each(page.output.images, (image) => resize({ url: image.src }));
    // @ts-expect-error: no list
    expect(() => each(page.output.body, (it) => resize({ url: it }))).not.toThrow();
    expectTypeOf(each(page.output.images, (image) => image.url)).toEqualTypeOf<Call<string[]>>();
    // @ts-expect-error: the body gives a call or a value to come
    expect(() => each(page.output.images, () => 1)).toThrow();
  });
});

describe("a pipeline", () => {
  const media = pipeline("media", { input: url }, (input) => {
    expectTypeOf(input).toEqualTypeOf<Pending<{ url: string }>>();
    return count({ text: download(input).output.body });
  });

  test("is typed like a task", () => {
    expectTypeOf(media).returns.toEqualTypeOf<Call<{ total: number }>>();
    media({ url: page.output.body });
    // @ts-expect-error: the field is called url
    media({ uri: "x" });
    // @ts-expect-error: a number where a text is wanted
    media({ url: media({ url: "x" }).output.total });
  });

  test("is held to its schemas", () => {
    const output = z.object({ total: z.number() });
    const typed = pipeline("typed", { input: url, output }, (it) => media(it));
    expectTypeOf(typed).returns.toEqualTypeOf<Call<{ total: number }>>();
    // @ts-expect-error: no text comes out of it
    pipeline("mistyped", { input: url, output: z.string() }, (it) => media(it));
    // @ts-expect-error: no such field
    pipeline("misread", { input: url }, ({ uri }) => count({ text: uri }));
  });
});

// Never called: the compiler alone runs this file's claims.
async function use(kantoku: Kantoku) {
  expectTypeOf(await kantoku.run(count({ text: page.output.body }))).toEqualTypeOf<{
    total: number;
  }>();
  expectTypeOf(await kantoku.run(page.onFailure("allow"))).toEqualTypeOf<Page | null>();
  expectTypeOf(await kantoku.run(each([1], () => page))).toEqualTypeOf<Page[]>();
  expectTypeOf(await kantoku.run(page.output)).toEqualTypeOf<Page>();
  expectTypeOf(await kantoku.run(page.map(({ body }) => body.length))).toEqualTypeOf<number>();
  const both = all({ page, words: count({ text: "x" }) });
  expectTypeOf((await kantoku.run(both)).words.total).toEqualTypeOf<number>();
  // @ts-expect-error: neither a call nor a value to come
  await kantoku.run(1);
}

test("a client's types follow from composed calls", () => {
  expectTypeOf(use).returns.toEqualTypeOf<Promise<void>>();
});
