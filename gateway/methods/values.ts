import { z } from "zod";
import type { Graph } from "../../sdk/protocol/graph.ts";
import { limits, namePattern } from "../../sdk/protocol/limits.ts";
import { type TaskError, type TaskRef, taskStatuses } from "../../sdk/protocol/task.ts";
import { isRecord } from "../../sdk/values/record.ts";

/** PostgreSQL's text holds neither NUL nor half a character, and must not change either silently. */
export function text(lengthMax: number): z.ZodString {
  return z
    .string()
    .min(1)
    .max(lengthMax)
    .refine((value) => !value.includes("\u0000") && value.isWellFormed(), {
      error: "must be well-formed text without NUL",
    });
}

export const name = z
  .string()
  .regex(namePattern, { error: "must be 1 to 200 of A–Z a–z 0–9 _ . : / -" });

/** Ids and tokens of kantoku's own: printable, and never long. */
export const id = z.string().regex(/^[\x21-\x7e]{1,200}$/, { error: "is not an id" });
export const key = text(limits.keyLengthMax);
/** Epoch milliseconds, as far as a JavaScript date goes. */
export const instant = z.int().min(0).max(8.64e15);
/** A hundred years: longer is a mistake in the unit. */
const durationMsMax = 100 * 366 * 86_400_000;
export const durationMs = z.int().min(1).max(durationMsMax);
const delayMs = z.int().min(0).max(durationMsMax);
export const waitMs = z.int().min(0).max(limits.waitMsMax);
/** A journal's places are 32-bit integers. */
export const seqMax = 2 ** 31 - 1;
export const pageLimit = z.int().min(1).max(limits.pageRowsMax);
export const seq = z.int().min(0).max(seqMax);
export const anything = z.unknown();
export const nothing = z.strictObject({});

export const labels = z.record(text(limits.nameLengthMax), z.string());
export const metadata = z.record(z.string(), z.unknown());

/** What fits into 16 KiB has fewer members than this. */
const attributesMax = limits.attributesBytesMax / 4;

/** Looked at first, for zod makes an issue of each label that is none: 4 µs each. */
export function findCrowdedMember({ labels }: { labels?: unknown }): string | undefined {
  const isCrowded =
    typeof labels === "object" && labels !== null && Object.keys(labels).length > attributesMax;
  return isCrowded ? "labels" : undefined;
}

/**
 * zod leaves a member named __proto__ out of the copy of a record, and a no is better than changing
 * silently what came. Here and not in the schema, where it made a submit 11 µs slower.
 */
export function findProtoMember(params: object): string | undefined {
  const { labels, metadata } = params as { labels?: unknown; metadata?: unknown };
  if (hasProtoMember(labels)) return "labels";
  return hasProtoMember(metadata) ? "metadata" : undefined;
}

function hasProtoMember(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.hasOwn(value, "__proto__");
}

export const retry = z
  .strictObject({
    maxAttempts: z.exactOptional(z.int().min(1).max(1_000_000)),
    backoff: z.exactOptional(z.enum(["exponential", "fixed"])),
    minMs: z.exactOptional(delayMs),
    maxMs: z.exactOptional(delayMs),
  })
  .refine(({ minMs, maxMs }) => minMs === undefined || maxMs === undefined || minMs <= maxMs, {
    path: ["maxMs"],
    error: "must not be below minMs",
  });

/**
 * Handed on as it came: the service lists everything that is wrong with a graph at once, and a copy
 * would lose members. graph-schema.ts describes it.
 */
export const graph = z
  .custom<Graph>(isRecord, { error: "must be an object" })
  .meta({ id: "Graph" });

export const status = z.enum(taskStatuses);

/** Strict: a final failure must not be tried again because `retryable` was misspelt. */
export const taskError: z.ZodType<TaskError> = z
  .strictObject({
    name: z.string(),
    message: z.string(),
    code: z.exactOptional(z.string()),
    retryable: z.exactOptional(z.boolean()),
    stack: z.exactOptional(z.string()),
    get cause() {
      return z.exactOptional(taskError);
    },
    data: z.exactOptional(z.unknown()),
  })
  .meta({ id: "TaskError" });

const byIdOrKey = {
  id: z.exactOptional(id.describe("Either this or key.")),
  key: z.exactOptional(key.describe("Either this or id.")),
};

/** Params that name a task by id or by idempotency key, and more members beside. */
export function taskParams<Shape extends z.ZodRawShape>(shape: Shape) {
  return z
    .strictObject({ ...byIdOrKey, ...shape })
    .refine((params) => "id" in params !== "key" in params, {
      error: "name the task by id or by key",
    });
}

export function toRef(params: { readonly id?: string; readonly key?: string }): TaskRef {
  const { id, key } = params;
  return id === undefined ? { key: key ?? "" } : { id };
}
