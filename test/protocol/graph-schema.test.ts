import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { graphSchemas, pipelineFileSchema } from "../../gateway/methods/graph-schema.ts";
import { methods } from "../../gateway/methods/index.ts";
import { toOpenRpc } from "../../gateway/methods/openrpc.ts";
import { stagePipelineSchema } from "../../sdk/stages/schema.ts";

test.each([
  ["pipeline.schema.json", pipelineFileSchema()],
  ["stages.schema.json", stagePipelineSchema],
])("the published %s is the one in the code", (file, schema) => {
  const url = new URL(`../../docs/schemas/${file}`, import.meta.url);
  expect(JSON.parse(readFileSync(url, "utf8"))).toEqual(JSON.parse(JSON.stringify(schema)));
});

test("rpc.discover describes a graph as the published schema does", () => {
  const { components } = toOpenRpc(methods) as {
    components: { schemas: Record<string, unknown> };
  };
  const text = JSON.stringify(components.schemas).replaceAll("#/components/schemas/", "#/$defs/");
  expect(JSON.parse(text)).toMatchObject(JSON.parse(JSON.stringify(graphSchemas)));
});

describe("the published schema", () => {
  const schema = z.fromJSONSchema(JSON.parse(JSON.stringify(pipelineFileSchema())));
  const task = { definition: "x" };
  const source = { task: "a", path: "/b", preprocessor: "(b) => b" };

  test.each([
    task,
    { ...task, version: "1", retry: { maxAttempts: 2 }, timeoutMs: 1, labels: { a: "b" } },
    { ...task, input: { a: [1] }, refs: [{ at: "", ...source }], after: ["a"], onFailure: "allow" },
    { ...task, when: { ...source, equals: null } },
    { ...task, refs: [{ at: "/x", all: [source, { all: { a: { of: { input: true } } } }] }] },
    { graph: { tasks: { a: task }, result: "a" } },
    { each: { tasks: { a: { ...task, refs: [{ at: "", item: true }] } }, result: "a" }, limit: 2 },
  ])("takes the task %j", (given) => {
    expect(schema.safeParse(toFile(given)).error).toBeUndefined();
  });

  test.each([
    {},
    { definition: 7 },
    { ...task, typo: 1 },
    { ...task, graph: { tasks: { a: task }, result: "a" } },
    { graph: { tasks: { a: task } } },
    { each: { tasks: { a: task }, result: "a" }, limit: 0 },
    { ...task, refs: [{ ...source }] },
    { ...task, refs: [{ at: "x", ...source }] },
    { ...task, refs: [{ at: "", task: "a", input: true }] },
    { ...task, refs: [{ at: "", of: { task: "a", typo: 1 } }] },
    { ...task, when: { equals: 1 } },
    { ...task, onFailure: "maybe" },
    { graph: { tasks: { a: { ...task, typo: 1 } }, result: "a" } },
  ])("refuses the task %j", (given) => {
    expect(schema.safeParse(toFile(given)).success).toBe(false);
  });
});

function toFile(task: object): object {
  return { name: "p", graph: { tasks: { a: task }, result: "a" } };
}
