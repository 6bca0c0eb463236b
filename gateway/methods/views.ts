import { z } from "zod";
import { anything, graph, metadata, seq, status, taskError } from "./values.ts";

/** What methods answer with. Described for readers; answers are not checked against it. */

const labels = z.record(z.string(), z.string());

export const taskView = z
  .object({
    id: z.string(),
    definition: z.string(),
    version: z.string(),
    status,
    input: anything,
    output: z.exactOptional(anything),
    error: z.exactOptional(taskError),
    attempt: z.int(),
    priority: z.int(),
    createdAt: z.int(),
    startedAt: z.exactOptional(z.int()),
    endedAt: z.exactOptional(z.int()),
    worker: z.exactOptional(z.string()),
    parent: z.exactOptional(z.string()),
    root: z.string(),
    restartOf: z.exactOptional(z.string()),
    restartRoot: z.exactOptional(z.string()),
    key: z.exactOptional(z.string()),
    labels,
    metadata,
    progress: z.exactOptional(anything),
    seq,
    waitingFor: z.exactOptional(
      z.object({ reason: z.string(), message: z.string(), data: z.exactOptional(metadata) }),
    ),
  })
  .meta({ id: "Task" });

export const runResult = z.object({
  id: z.string(),
  status,
  output: z.exactOptional(anything),
});

export const journalEvent = z
  .object({ seq, type: z.string(), at: z.int(), data: metadata })
  .meta({ id: "Event" });

export const graphView = z
  .object({
    root: z.string(),
    tasks: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        kind: z.enum(["task", "pipeline", "each", "value"]),
        definition: z.string(),
        status,
        parent: z.exactOptional(z.string()),
      }),
    ),
    edges: z.array(z.object({ from: z.string(), to: z.string() })),
  })
  .meta({ id: "GraphView" });

export const pipelineView = z
  .object({
    name: z.string(),
    version: z.string(),
    graph,
    inputSchema: z.exactOptional(anything),
    outputSchema: z.exactOptional(anything),
    registeredAt: z.int(),
  })
  .meta({ id: "Pipeline" });

export const workerView = z
  .object({
    id: z.string(),
    name: z.exactOptional(z.string()),
    status: z.enum(["connecting", "serving", "draining", "gone", "lost"]),
    slots: z.int(),
    running: z.int(),
    definitions: z.array(z.object({ name: z.string(), version: z.string() })),
    labels,
    node: z.exactOptional(z.string()),
    registeredAt: z.int(),
    leaseExpiresAt: z.int(),
  })
  .meta({ id: "Worker" });

export const finding = z.object({
  invariant: z.string(),
  count: z.int(),
  examples: z.array(z.string()),
});

const tokens = z.array(z.string());
export const keepAndDrop = z.object({ keep: tokens, drop: tokens });
export const recorded = z.object({ answer: z.enum(["recorded", "late"]) });
export const empty = z.object({});
