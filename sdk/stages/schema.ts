import { namePattern } from "../protocol/limits.ts";

const name = { type: "string", pattern: namePattern.source };

/** A stage pipeline in a file: JSON Schema 2020-12. */
export const stagePipelineSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "A kantoku stage pipeline",
  type: "object",
  properties: {
    $schema: { type: "string" },
    name,
    stages: {
      type: "array",
      items: name,
      minItems: 1,
      uniqueItems: true,
      description: "In their order: each begins when the one before has ended.",
    },
    jobs: { type: "array", items: { $ref: "#/$defs/Job" }, minItems: 1 },
  },
  required: ["stages", "jobs"],
  additionalProperties: false,
  $defs: {
    Job: {
      type: "object",
      properties: {
        name: { ...name, description: "Unique in the pipeline." },
        stage: { ...name, description: "One of the stages; its jobs run side by side." },
        kind: { ...name, description: "The definition that does the job." },
        version: { ...name, description: "Of the kind; text, so a number goes in quotes." },
        priority: {
          type: "integer",
          default: 10,
          description: "Smaller is first; the pipeline's own changes nothing in it.",
        },
        params: { type: "object", default: {}, description: "What the kind is given." },
        retry_attempt: {
          type: "integer",
          minimum: 0,
          default: 0,
          description: "How often it is tried again after a failure or a timeout.",
        },
        allow_failure: {
          type: "boolean",
          default: false,
          description: "Its failure does not stop the pipeline.",
        },
        timeout: {
          type: "number",
          exclusiveMinimum: 0,
          description: "Seconds, for each attempt.",
        },
      },
      required: ["name", "stage", "kind"],
      additionalProperties: false,
    },
  },
} as const;
