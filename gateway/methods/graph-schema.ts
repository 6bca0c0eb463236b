import { limits, namePattern } from "../../sdk/protocol/limits.ts";

type JsonSchema = Readonly<Record<string, unknown>>;

const text: JsonSchema = { type: "string" };
const name: JsonSchema = { type: "string", pattern: namePattern.source };
const truth: JsonSchema = { const: true };
const durationMs: JsonSchema = { type: "integer", minimum: 1 };
const priority: JsonSchema = {
  type: "integer",
  minimum: -2_147_483_648,
  maximum: 2_147_483_647,
  description: "Smaller is first; 10 unless given.",
};
const labels: JsonSchema = { type: "object", additionalProperties: text };
const pointer: JsonSchema = {
  type: "string",
  pattern: "^(/([^~/]|~[01])*)*$",
  description: "A JSON pointer (RFC 6901).",
};

/** What every source may do with its value: first pick, then reshape. */
const reshaping = {
  path: {
    ...pointer,
    description: "A JSON pointer into the value; what it does not find is null.",
  },
  preprocessor: {
    type: "string",
    maxLength: limits.preprocessorBytesMax,
    description: "Source of a TypeScript function of one argument.",
  },
};

const sourceBases: readonly Readonly<Record<string, JsonSchema>>[] = [
  { task: { ...name, description: "The output of this task." } },
  { input: { ...truth, description: "The input of the pipeline that the task belongs to." } },
  { item: { ...truth, description: "Inside each: the item that this copy is for." } },
  {
    all: {
      description: "Several sources as one value, under the same names or in the same order.",
      anyOf: [
        { type: "array", items: refTo("Source") },
        { type: "object", additionalProperties: refTo("Source") },
      ],
    },
  },
  { of: refTo("Source") },
];

/** What every task of a graph may say. */
const vertex = {
  input: { description: "Refs fill it in." },
  refs: { type: "array", items: refTo("Ref") },
  after: {
    type: "array",
    items: name,
    description: "Tasks that have to end first, although nothing of them is wanted.",
  },
  when: refTo("Condition"),
  onFailure: {
    enum: ["fail", "continue", "allow"],
    description:
      "What its failure means for its dependents: they fail; go on with {error}; go on with null.",
  },
  priority,
  labels,
  metadata: { type: "object" },
};

/** The parts of a graph as JSON Schemas that refer to one another as `#/$defs/…`. */
export const graphSchemas: Readonly<Record<string, JsonSchema>> = {
  Graph: closed(
    {
      tasks: {
        type: "object",
        minProperties: 1,
        propertyNames: name,
        additionalProperties: refTo("GraphTask"),
      },
      result: { ...name, description: "Whose output is the output of the whole." },
    },
    ["tasks", "result"],
  ),
  GraphTask: {
    oneOf: [refTo("DefinitionTask"), refTo("SubgraphTask"), refTo("EachTask"), refTo("ValueTask")],
  },
  DefinitionTask: closed(
    {
      definition: name,
      version: name,
      ...vertex,
      startAt: { type: "integer", minimum: 0, description: "Epoch milliseconds." },
      timeoutMs: durationMs,
      attemptTimeoutMs: durationMs,
      retry: refTo("RetryPolicy"),
    },
    ["definition"],
  ),
  SubgraphTask: closed({ graph: refTo("Graph"), ...vertex }, ["graph"]),
  EachTask: closed(
    {
      each: refTo("Graph"),
      limit: { type: "integer", minimum: 1, description: "So many copies are under way at once." },
      ...vertex,
    },
    ["each"],
  ),
  ValueTask: closed(
    {
      value: { ...truth, description: "Its input, once it is filled in, is its output." },
      ...vertex,
    },
    ["value"],
  ),
  RetryPolicy: closed({
    maxAttempts: { type: "integer", minimum: 1, maximum: 1_000_000 },
    backoff: { enum: ["exponential", "fixed"] },
    minMs: { type: "integer", minimum: 0 },
    maxMs: { type: "integer", minimum: 0 },
  }),
  Source: sourceWith({}),
  Ref: sourceWith({ at: { ...pointer, description: "Where in the input the value goes." } }, [
    "at",
  ]),
  Condition: sourceWith({ equals: { description: "Without it any truthy value counts." } }),
};

function sourceWith(more: Readonly<Record<string, JsonSchema>>, required: readonly string[] = []) {
  return {
    oneOf: sourceBases.map((base) =>
      closed({ ...base, ...reshaping, ...more }, [...Object.keys(base), ...required]),
    ),
  };
}

function closed(
  properties: Readonly<Record<string, JsonSchema>>,
  required: readonly string[] = [],
): JsonSchema {
  return { type: "object", properties, required, additionalProperties: false };
}

function refTo(schema: string): JsonSchema {
  return { $ref: `#/$defs/${schema}` };
}

/** A file that `ktk apply` takes, on its own: JSON Schema 2020-12. */
export function pipelineFileSchema(): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "A kantoku pipeline",
    ...closed({ $schema: text, name, graph: refTo("Graph"), inputSchema: {}, outputSchema: {} }, [
      "name",
      "graph",
    ]),
    $defs: graphSchemas,
  };
}
