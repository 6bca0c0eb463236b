import { z } from "zod";
import type { NotificationName } from "../wire/notification.ts";
import { anything, metadata } from "./values.ts";
import { journalEvent } from "./views.ts";

const subscription = z.string();

/** What the server sends unasked, described for readers. */
export const notificationParams: Readonly<Record<NotificationName, z.ZodType>> = {
  "task.event": journalEvent.extend({ subscription, task: z.string(), cursor: z.string() }),
  "task.progress": z.object({ subscription, task: z.string(), progress: anything }),
  "subscription.end": z.object({
    subscription,
    reason: z.enum(["ended", "deleted", "shutdown", "lagged"]),
    cursor: z.string(),
  }),
  "attempt.assign": z.object({
    task: z.string(),
    attempt: z.int(),
    token: z.string(),
    worker: z.string(),
    definition: z.string(),
    version: z.string(),
    input: anything,
    idempotencyKey: z.string(),
    journal: z.array(journalEvent),
    journalNext: z.exactOptional(z.int()),
    deadlineAt: z.exactOptional(z.int()),
    deadlineInMs: z.exactOptional(z.int()),
    root: z.string(),
    parent: z.exactOptional(z.string()),
    labels: z.record(z.string(), z.string()),
    metadata,
    trace: z.exactOptional(z.string()),
  }),
  "attempt.cancel": z.object({ token: z.string(), reason: z.string(), graceMs: z.int() }),
  "worker.superseded": z.object({ worker: z.string() }),
  "server.shutdown": z.object({ reconnectMs: z.int() }),
};
