import { isKantokuError, KantokuError } from "../errors.ts";
import type { ErrorCode } from "../protocol/error-code.ts";

/**
 * Beside the retryable ones: a server that broke off on the way, an answer that was too large, a
 * session that was ended over unanswered calls.
 */
const uncertainCodes: ReadonlySet<ErrorCode> = new Set([
  "internal",
  "generic",
  "response-too-large",
  "batch-response-too-large",
  "unauthenticated",
  "forbidden",
]);

/**
 * What a submit ended with. Where that leaves open whether a task was made, its data tell the key:
 * the caller finds the task by it, or sends the same call again.
 */
export function withKey(thrown: unknown, idempotencyKey: string | undefined): unknown {
  if (!isKantokuError(thrown) || !isUncertain(thrown)) return thrown;
  // A new one: those that were written together may have failed by one error.
  const { code, message, data, cause } = thrown;
  return new KantokuError(code, message, {
    data: { ...data, idempotencyKey },
    ...(cause !== undefined && { cause }),
  });
}

function isUncertain({ code, retryable }: KantokuError): boolean {
  return retryable || uncertainCodes.has(code);
}
