import type { AnyCall } from "../call.ts";
import type { DefinitionVertex } from "../protocol/graph.ts";
import { toRetryPolicy } from "../retry.ts";
import { toMs } from "../values/duration.ts";
import { toEpochMs } from "../values/instant.ts";
import { traitsOf } from "./traits.ts";

type VertexOptions = Pick<
  DefinitionVertex,
  "priority" | "startAt" | "timeoutMs" | "attemptTimeoutMs" | "retry" | "labels" | "metadata"
>;

/** What the author said with `.with()`, as the protocol has it. */
export function optionsOf(call: AnyCall): VertexOptions {
  const { options = {} } = traitsOf(call);
  const { priority, startAt, timeout, attemptTimeout, retry, metadata } = options;
  const labels = { ...call.labels, ...options.labels };
  return {
    ...(priority !== undefined && { priority }),
    ...(startAt !== undefined && { startAt: toEpochMs(startAt) }),
    ...(timeout !== undefined && { timeoutMs: toMs(timeout) }),
    ...(attemptTimeout !== undefined && { attemptTimeoutMs: toMs(attemptTimeout) }),
    ...(retry !== undefined && { retry: toRetryPolicy(retry) }),
    ...(Object.keys(labels).length > 0 && { labels }),
    ...(metadata !== undefined && { metadata }),
  };
}
