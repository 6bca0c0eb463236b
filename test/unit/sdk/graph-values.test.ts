import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { task } from "../../../sdk/definition.ts";
import { all } from "../../../sdk/graph/all.ts";
import { each } from "../../../sdk/graph/each.ts";
import { encodeGraph } from "../../../sdk/graph/encode.ts";
import { encodePayload } from "../../../sdk/values/payload.ts";

const download = task("download", { version: "2" }, () => ({ body: "x", parts: [{ n: 1 }] }));
const page = download({ url: "x" });
const { body } = page.output;

describe("a call", () => {
  test("is its data only, as long as nothing more is said of it", () => {
    expect(Object.keys(page)).toEqual(["definition", "version", "input"]);
    expect(JSON.stringify(page)).toBe(
      '{"definition":"download","version":"2","input":{"url":"x"}}',
    );
    expect(Object.isFrozen(page)).toBe(true);
    expect(Object.isFrozen(page.with({ priority: 1 }))).toBe(true);
    expect(page.with({ priority: 1 })).toEqual(page);
    expect(page.with({ priority: 1 })).not.toBe(page);
  });

  test("is its graph as JSON, once it is composed", () => {
    expect(JSON.parse(JSON.stringify(download(body)))).toEqual({
      graph: {
        tasks: {
          download: { definition: "download", version: "2", input: { url: "x" } },
          "download-2": {
            definition: "download",
            version: "2",
            refs: [{ at: "", task: "download", path: "/body" }],
          },
        },
        result: "download-2",
      },
    });
  });
});

describe("a value to come", () => {
  test.each<[string, () => unknown]>([
    ["as JSON", () => JSON.stringify({ body })],
    ["in a text", () => `${body}`],
    ["as a number", () => Number(body)],
    ["by its keys", () => Object.keys(page.output)],
    ["spread", () => ({ ...page.output })],
    ["asked for a key", () => "body" in page.output],
  ])("is not known yet: %s", (_, look) => {
    expect(look).toThrow(
      expect.objectContaining({
        code: "invalid-definition",
        message: expect.stringMatching(/^download(\.output\.body)? is not known yet/),
      }),
    );
  });

  test("is no data: neither to be sent nor to be changed", () => {
    expect(() => encodePayload({ body }, { at: "input" })).toThrow("input.body");
    expect(() => encodePayload({ page }, { at: "input" })).toThrow("input.page");
    expect(() => Object.assign(page.output, { body: 1 })).toThrow(TypeError);
    expect(() => Reflect.deleteProperty(page.output, "body") || expect.fail("kept")).toThrow(
      "kept",
    );
  });

  test("can be awaited, printed and asked for symbols", async () => {
    expect(inspect(await page.output)).toBe("[download]");
    const item = each([1], (given) => {
      expect(inspect(given)).toBe("[item]");
      return download(given);
    });
    expect(inspect([body, page.output.parts[0], page.map((it) => it.body), item.output])).toBe(
      "[\n  [download.output.body],\n  [download.output.parts.0],\n  [download.map(…)],\n  [each]\n]",
    );
    expect(inspect((page.output as unknown as { map: unknown }).map)).toContain("output.map");
    expect(inspect(all([page]))).toBe("[all(…)]");
    expect(Object.prototype.toString.call(body)).toBe("[object Object]");
    expect(Symbol.iterator in body).toBe(false);
  });
});

describe("map", () => {
  const methods = {
    shorthand(it: { body: string }) {
      return it.body;
    },
    delete() {
      return 1;
    },
    get access() {
      return 1;
    },
  };
  const accessor = Object.getOwnPropertyDescriptor(methods, "access")?.get;

  test("takes a method as the function that it is", () => {
    for (const [method, source] of [
      [methods.shorthand, "function(it) {"],
      [methods.delete, "function() {"],
    ] as [(it: unknown) => unknown, string][]) {
      const graph = encodeGraph(download(page.map(method)));
      expect(graph?.tasks["download-2"]?.refs?.[0]?.preprocessor).toContain(source);
    }
  });

  test.each<[string, unknown, string]>([
    ["a built-in function", Math.max, "max cannot be a preprocessor: a built-in or bound"],
    ["a bound function", (() => 1).bind(null), "built-in or bound"],
    ["an async function", async () => 1, "synchronous"],
    ["an async generator", async function* steps() {}, "synchronous"],
    ["a generator", function* steps() {}, "steps cannot be a preprocessor: a generator"],
    ["a class", class Shape {}, "Shape cannot be a preprocessor: a class"],
    ["an accessor", accessor, "an accessor"],
    ["a method of a computed name", { ["a".concat("b")]() {} }["ab"], "computed"],
    ["no function", "(it) => it", "takes a function"],
    ["a very long function", new Function(`return "${"x".repeat(70_000)}"`), "larger than 65536"],
  ])("refuses %s", (_, reshape, fault) => {
    expect(() => page.map(reshape as () => unknown)).toThrow(
      expect.objectContaining({
        code: "invalid-definition",
        message: expect.stringContaining(fault),
      }),
    );
  });
});
