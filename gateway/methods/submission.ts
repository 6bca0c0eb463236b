import { z } from "zod";
import { limits } from "../../sdk/protocol/limits.ts";
import type { GraphSubmit, SubmitParams } from "../../sdk/protocol/service.ts";
import {
  anything,
  durationMs,
  graph,
  id,
  instant,
  key,
  labels,
  metadata,
  name,
  retry,
  text,
} from "./values.ts";

/** A child is called `definition#occurrence`. */
const occurrenceDigitsMax = 10;

/** Of one task only: in a graph each task says it of itself. */
const ofOneTask = {
  version: z.exactOptional(name),
  attemptTimeoutMs: z.exactOptional(durationMs),
  retry: z.exactOptional(retry),
};

const shape = {
  definition: z.exactOptional(name.describe("Either this or graph.")),
  graph: z.exactOptional(graph),
  input: z.exactOptional(anything),
  idempotencyKey: z.exactOptional(key),
  priority: z.exactOptional(z.int32()),
  startAt: z.exactOptional(instant),
  labels: z.exactOptional(labels),
  metadata: z.exactOptional(metadata),
  timeoutMs: z.exactOptional(durationMs),
  trace: z.exactOptional(text(512)),
  parent: z.exactOptional(
    z
      .strictObject({ token: id, name: text(limits.nameLengthMax + occurrenceDigitsMax) })
      .describe("Instead of a key: a child of the task whose attempt has this token."),
  ),
  ...ofOneTask,
};

/** What is submitted, a task or a graph, and more members beside. */
export function submissionParams<Shape extends z.ZodRawShape>(more: Shape) {
  return z.strictObject({ ...shape, ...more }).superRefine((params, context) => {
    const problem = problemOf(params);
    if (problem !== undefined) context.addIssue({ code: "custom", ...problem });
  });
}

interface Problem {
  readonly path?: string[];
  readonly message: string;
}

function problemOf(params: object): Problem | undefined {
  const isGraph = "graph" in params;
  if ("definition" in params === isGraph) return { message: "name a definition or give a graph" };
  if ("parent" in params && "idempotencyKey" in params) {
    return { path: ["idempotencyKey"], message: "is not for a child: its name is its key" };
  }
  const misplaced = isGraph && Object.keys(ofOneTask).find((member) => member in params);
  if (!misplaced) return undefined;
  return { path: [misplaced], message: "is said of a task in the graph, not of the graph" };
}

/** As the service has it: the schema saw to it that it is one of the two. */
export function toSubmission(params: object): SubmitParams | GraphSubmit {
  return params as SubmitParams | GraphSubmit;
}
