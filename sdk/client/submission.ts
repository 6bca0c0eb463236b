import type { CallData } from "../call.ts";
import { KantokuError } from "../errors.ts";
import { compositionOf } from "../graph/encode.ts";
import type { AnyPipeline } from "../graph/pipeline.ts";
import type { PlainInput } from "../graph/plain-input.ts";
import { traitsOf } from "../graph/traits.ts";
import type { Graph } from "../protocol/graph.ts";
import type { GraphSubmit, SubmitParams } from "../protocol/service.ts";
import { type RetryOptions, toRetryPolicy } from "../retry.ts";
import { type Duration, toMs } from "../values/duration.ts";
import { newId } from "../values/id.ts";
import { toEpochMs } from "../values/instant.ts";

export interface SubmitOptions {
  /** The same key and the same call are the same task; another call is a `conflict`. Fresh unless given. */
  readonly idempotencyKey?: string;
  /** Smaller is first; 10 unless given. */
  readonly priority?: number;
  /** Not before this instant; a number is epoch milliseconds. */
  readonly startAt?: number | Date;
  /** From the first assignment, or the beginning of a graph, to the end, all attempts included. */
  readonly timeout?: Duration;
  readonly attemptTimeout?: Duration;
  /** In place of the definition's own policy. */
  readonly retry?: RetryOptions;
  /** Joined with those of the call. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** W3C traceparent of the caller's span. */
  readonly trace?: string;
}

export interface WaitOptions {
  /** Gives up waiting after this; the task goes on. */
  readonly waitMs?: number;
  /** Gives up waiting with the signal's reason; the task goes on. */
  readonly signal?: AbortSignal;
}

export interface RunOptions extends SubmitOptions, WaitOptions {}

export interface Submission {
  readonly params: SubmitParams | GraphSubmit;
  /** What has to be known before it can be sent. */
  readonly pipelines: readonly AnyPipeline[];
  /** What their schemas have to take before. */
  readonly inputs: readonly PlainInput[];
}

/** @throws KantokuError `invalid-params` for what is no call, `invalid-definition` for one that cannot be a graph */
export function toSubmission(call: CallData, options: SubmitOptions): Submission {
  if (typeof call?.definition !== "string") throw notRunnable(call);
  const { graph, pipelines, inputs } = compositionOf(call);
  const params =
    graph === null ? toSubmitParams(call, withOwn(call, options)) : toGraphSubmit(graph, options);
  return { params, pipelines, inputs };
}

type Draft = { -readonly [Key in keyof SubmitParams]: SubmitParams[Key] };

// Always with a key, so that a submit whose answer was lost can be sent again. Field by field, not
// by spreading: this is on the path of every task.
function toSubmitParams(call: CallData, options: SubmitOptions): SubmitParams {
  const params: Draft = {
    definition: call.definition,
    idempotencyKey: options.idempotencyKey ?? newId(),
  };
  if (call.version !== undefined) params.version = call.version;
  if (call.input !== undefined) params.input = call.input;
  if (options.priority !== undefined) params.priority = options.priority;
  if (options.startAt !== undefined) params.startAt = toEpochMs(options.startAt);
  if (options.timeout !== undefined) params.timeoutMs = toMs(options.timeout);
  if (options.attemptTimeout !== undefined) params.attemptTimeoutMs = toMs(options.attemptTimeout);
  if (options.retry !== undefined) params.retry = toRetryPolicy(options.retry);
  if (call.labels || options.labels) params.labels = { ...call.labels, ...options.labels };
  if (options.metadata !== undefined) params.metadata = options.metadata;
  if (options.trace !== undefined) params.trace = options.trace;
  return params;
}

function withOwn(call: CallData, options: SubmitOptions): SubmitOptions {
  const own = traitsOf(call).options;
  if (own === undefined) return options;
  const labels = { ...own.labels, ...options.labels };
  return { ...own, ...options, ...(Object.keys(labels).length > 0 && { labels }) };
}

const ofAttempts = ["attemptTimeout", "retry"] as const;

function toGraphSubmit(graph: Graph, options: SubmitOptions): GraphSubmit {
  const misplaced = ofAttempts.filter((key) => options[key] !== undefined);
  if (misplaced.length > 0) {
    throw new KantokuError(
      "invalid-params",
      `a graph has no ${misplaced.join(", ")}; say it of a call in it: call.with({ … })`,
    );
  }
  const { idempotencyKey = newId(), priority, startAt, labels, metadata, timeout, trace } = options;
  return {
    graph,
    idempotencyKey,
    ...(priority !== undefined && { priority }),
    ...(startAt !== undefined && { startAt: toEpochMs(startAt) }),
    ...(labels !== undefined && { labels }),
    ...(metadata !== undefined && { metadata }),
    ...(timeout !== undefined && { timeoutMs: toMs(timeout) }),
    ...(trace !== undefined && { trace }),
  };
}

function notRunnable(given: unknown): KantokuError {
  const { name, kind } = Object(given) as { readonly name?: unknown; readonly kind?: unknown };
  const what =
    kind === "task" || kind === "pipeline"
      ? `${name} is a definition; run a call of it: ${name}(…)`
      : "what is to run is neither a call nor a value to come";
  return new KantokuError("invalid-params", what);
}
