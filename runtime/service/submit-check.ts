import { isKantokuError } from "../../sdk/errors.ts";
import type { GraphTask } from "../../sdk/protocol/graph.ts";
import { limits, namePattern, priorityDefault } from "../../sdk/protocol/limits.ts";
import type { SubmitParams } from "../../sdk/protocol/service.ts";
import type { RetryPolicy } from "../../sdk/protocol/task.ts";
import { encodePayload } from "../../sdk/values/payload.ts";
import { isRecord } from "../../sdk/values/record.ts";
import { askedOf } from "../engine/policy.ts";
import type { GraphProblem } from "../graph/check.ts";
import type { Asked } from "../machines/task.events.ts";
import type { JsonText } from "../store/rows.ts";
import { invalid } from "./faults.ts";

export interface CheckedSubmit {
  readonly definition: string;
  readonly version: string;
  readonly key: string | null;
  readonly priority: number;
  readonly startAt: number | null;
  readonly asked: Asked | null;
  readonly input: JsonText;
  readonly labels: JsonText;
  readonly metadata: JsonText;
  readonly trace: string | null;
}

const int32Max = 2 ** 31 - 1;
const delayMsMax = 100 * 365 * 24 * 3_600_000;
const attemptsMax = 1_000_000;
const traceLengthMax = 512;
const keyPattern = /^[^\p{Cc}\p{Cs}]{1,256}$/u;

/** What is wrong with a vertex of a graph beside its place in it: everything, a member at a time. */
export function checkVertex(vertex: GraphTask): readonly GraphProblem[] {
  const { input, labels, metadata, priority } = vertex;
  const own = "definition" in vertex ? vertex : { definition: "graph" };
  const members = withoutUndefined({ ...own, labels, metadata, priority, input });
  if (problemOf(members) === null) return [];
  const { definition, ...others } = members;
  const named = Object.entries(others).map(([name, value]) => ({ definition, [name]: value }));
  const inTurn = [{ definition }, ...named].map(problemOf).filter((problem) => problem !== null);
  // A definition that is wrong is wrong beside each of the others.
  return inTurn.filter(({ path }, index) => inTurn.findIndex((it) => it.path === path) === index);
}

function problemOf(members: Readonly<Record<string, unknown>>): GraphProblem | null {
  try {
    checkSubmit(members as unknown as SubmitParams);
    return null;
  } catch (error) {
    if (!isKantokuError(error)) throw error;
    const path = typeof error.data["path"] === "string" ? error.data["path"] : "input";
    const { message } = error;
    const isNamed = message.startsWith(`${path} `);
    return { path, message: isNamed ? message.slice(path.length + 1) : message };
  }
}

function withoutUndefined(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/** Says all of what a submit is, or throws KantokuError `invalid-params` naming the member. */
export function checkSubmit(params: SubmitParams): CheckedSubmit {
  const { definition, version = "", idempotencyKey = null, priority = priorityDefault } = params;
  if (typeof definition !== "string" || !namePattern.test(definition)) {
    throw invalid("definition", `must match ${namePattern.source}`);
  }
  if (version !== "" && !(typeof version === "string" && namePattern.test(version))) {
    throw invalid("version", `must match ${namePattern.source}`);
  }
  if (idempotencyKey !== null && !isKey(idempotencyKey)) {
    throw invalid("idempotencyKey", "must be 1 to 256 characters without control characters");
  }
  if (!Number.isInteger(priority) || Math.abs(priority) > int32Max) {
    throw invalid("priority", "must be a 32-bit integer");
  }
  if (params.startAt !== undefined)
    checkNumber("startAt", params.startAt, { min: 0, max: 8.64e15 });
  return {
    definition,
    version,
    key: idempotencyKey,
    priority,
    startAt: params.startAt ?? null,
    asked: checkAsked(params),
    input: encodePayload(params.input, { at: "input" }),
    labels: params.labels === undefined ? "{}" : encodeLabels(params.labels),
    metadata: params.metadata === undefined ? "{}" : encodeMetadata(params.metadata),
    trace:
      typeof params.trace === "string" && params.trace.length <= traceLengthMax
        ? params.trace
        : null,
  };
}

/** What a submit or a served definition says of retries and timeouts; null when nothing. */
export function checkAsked(given: Asked): Asked | null {
  const { retry, timeoutMs, attemptTimeoutMs } = given;
  if (timeoutMs !== undefined) checkNumber("timeoutMs", timeoutMs, { min: 1, max: delayMsMax });
  if (attemptTimeoutMs !== undefined) {
    checkNumber("attemptTimeoutMs", attemptTimeoutMs, { min: 1, max: delayMsMax });
  }
  return askedOf(retry === undefined ? given : { ...given, retry: checkRetry(retry) });
}

const ofRetry: ReadonlySet<string> = new Set(["maxAttempts", "backoff", "minMs", "maxMs"]);

function checkRetry(retry: RetryPolicy): RetryPolicy {
  const given: unknown = retry;
  if (!isRecord(given)) throw invalid("retry", "must be an object");
  const unknown = Object.keys(given).find((name) => !ofRetry.has(name));
  if (unknown !== undefined) throw invalid(`retry.${unknown}`.slice(0, 300), "is unknown here");
  const { maxAttempts, backoff, minMs, maxMs } = retry;
  if (maxAttempts !== undefined) {
    checkNumber("retry.maxAttempts", maxAttempts, { min: 1, max: attemptsMax });
  }
  if (backoff !== undefined && backoff !== "exponential" && backoff !== "fixed") {
    throw invalid("retry.backoff", `must be "exponential" or "fixed"`);
  }
  if (minMs !== undefined) checkNumber("retry.minMs", minMs, { min: 0, max: delayMsMax });
  if (maxMs !== undefined) checkNumber("retry.maxMs", maxMs, { min: 0, max: delayMsMax });
  if (minMs !== undefined && maxMs !== undefined && minMs > maxMs) {
    throw invalid("retry.maxMs", "must not be below minMs");
  }
  return {
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
    ...(backoff === undefined ? {} : { backoff }),
    ...(minMs === undefined ? {} : { minMs }),
    ...(maxMs === undefined ? {} : { maxMs }),
  };
}

/** Labels are strings under names: they are indexed and compared. */
export function encodeLabels(labels: Readonly<Record<string, string>>): JsonText {
  if (!isRecord(labels)) throw invalid("labels", "must be an object of strings");
  for (const [name, value] of Object.entries(labels)) {
    if (typeof value !== "string") throw invalid(`labels.${name}`, "must be a string");
  }
  return encodePayload(labels, { at: "labels", bytesMax: limits.attributesBytesMax });
}

function encodeMetadata(metadata: Readonly<Record<string, unknown>>): JsonText {
  if (!isRecord(metadata)) throw invalid("metadata", "must be an object");
  return encodePayload(metadata, { at: "metadata", bytesMax: limits.attributesBytesMax });
}

function isKey(key: unknown): boolean {
  if (typeof key !== "string" || key.length > limits.keyLengthMax) return false;
  return keyPattern.test(key);
}

function checkNumber(path: string, value: number, range: { min: number; max: number }): void {
  if (Number.isInteger(value) && value >= range.min && value <= range.max) return;
  throw invalid(path, `must be an integer from ${range.min} to ${range.max}`);
}
