import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { task } from "../../../sdk/definition.ts";
import { each } from "../../../sdk/graph/each.ts";
import { encodeGraph } from "../../../sdk/graph/encode.ts";
import { pipeline } from "../../../sdk/graph/pipeline.ts";
import { sha256 } from "../../../sdk/graph/sha-256.ts";
import { canonicalJson } from "../../../sdk/values/canonical.ts";

const use = task("use", {}, (_: unknown) => ({ total: 1 }));
const settings = use("settings");

const media = pipeline(
  "media",
  {
    input: z.object({ urls: z.array(z.string()) }),
    output: z.array(z.object({ total: z.number() })),
  },
  ({ urls }) => each(urls, (url) => use({ url, settings })),
);

describe("a pipeline", () => {
  test("is data, and takes in what it closes over", () => {
    expect([media.name, media.kind, media.uses]).toEqual(["media", "pipeline", []]);
    expect(media.graph).toBe(media.body.graph);
    expect(media.graph).toEqual({
      tasks: {
        use: { definition: "use", input: "settings" },
        each: {
          input: { items: null, given: { use: null } },
          refs: [
            { at: "/items", input: true, path: "/urls" },
            { at: "/given/use", task: "use" },
          ],
          each: {
            tasks: {
              use: {
                definition: "use",
                input: { url: null, settings: null },
                refs: [
                  { at: "/url", item: true },
                  { at: "/settings", input: true, path: "/use" },
                ],
              },
            },
            result: "use",
          },
        },
      },
      result: "each",
    });
    expect(media.body).toMatchObject({
      inputSchema: { required: ["urls"] },
      outputSchema: { type: "array" },
    });
  });

  test("has the hash of its body for a version", () => {
    const hash = createHash("sha256").update(canonicalJson(media.body)).digest("hex");
    expect(hash.startsWith(media.version)).toBe(true);
    expect(media.version).toHaveLength(16);
    const versions = [1, 1, 2].map((n) => pipeline("p", {}, () => use(n)).version);
    expect(versions[0]).toBe(versions[1]);
    expect(versions[0]).not.toBe(versions[2]);
  });

  test("does not change with what it was made of", () => {
    const input = { n: 1 };
    const p = pipeline("p", {}, () => use(input));
    input.n = 2;
    expect(p.graph.tasks["use"]?.input).toEqual({ n: 1 });
  });

  test("is called like a task, and used in another one by its version", () => {
    const inner = pipeline("inner", { labels: { team: "a" } }, (input) => use(input));
    const outer = pipeline("outer", {}, (input) => use({ inner: inner(input) }));
    const whole = pipeline("whole", {}, () => each([1], () => outer(inner())));
    expect(inner(1)).toEqual({
      definition: "inner",
      version: inner.version,
      labels: { team: "a" },
      input: 1,
    });
    expect(outer.graph.tasks["inner"]).toEqual({
      definition: "inner",
      version: inner.version,
      labels: { team: "a" },
      refs: [{ at: "", input: true }],
    });
    expect(outer.uses).toEqual([inner]);
    expect(whole.uses).toEqual([inner, outer]);
    expect(encodeGraph(use(outer()))?.tasks["outer"]).toEqual({
      definition: "outer",
      version: outer.version,
    });
  });

  test.each<[string, () => unknown, string]>([
    ["a name that is none", () => pipeline("no name", {}, () => use()), "its name"],
    ["a body without a call", () => pipeline("p", {}, () => 1 as never), "must give a call"],
    [
      "several calls",
      () => pipeline("p", {}, () => ({ a: use(1), b: use(2) }) as never),
      "join several with all()",
    ],
    [
      "a body that takes its time",
      () => pipeline("p", {}, (async () => use(1)) as never),
      "it is called once, and cannot wait",
    ],
    [
      "no body",
      () => pipeline("p", (() => use(1)) as never, undefined as never),
      "write pipeline(name, options, body)",
    ],
    [
      "a schema that is none",
      () => pipeline("p", { input: { type: "object" } as never }, () => use(1)),
      "its input is not described by a Standard Schema",
    ],
    ["input that is no JSON", () => pipeline("p", {}, () => use({ n: 1n })), "bigint"],
  ])("is refused for %s", (_, define, fault) => {
    expect(define).toThrow(fault);
  });

  test("whose body throws leaves no trace", () => {
    const boom = () => {
      throw new Error("boom");
    };
    expect(() => pipeline("p", {}, boom)).toThrow("boom");
    expect(encodeGraph(use(1))).toBeNull();
  });
});

test("sha256 is SHA-256", () => {
  const texts = fc.oneof(
    fc.string(),
    fc.nat({ max: 200 }).map((length) => "é".repeat(length)),
  );
  fc.assert(
    fc.property(texts, (text) => sha256(text) === createHash("sha256").update(text).digest("hex")),
    { numRuns: 200 },
  );
});
