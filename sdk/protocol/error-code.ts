/**
 * The one table of errors: the stable code that programs branch on, its JSON-RPC number, and
 * whether the same call, under the same idempotency key, may be sent again.
 */
export const errorCodes = {
  "parse-error": { number: -32700, retryable: false },
  "invalid-request": { number: -32600, retryable: false },
  "method-not-found": { number: -32601, retryable: false },
  "invalid-params": { number: -32602, retryable: false },
  internal: { number: -32603, retryable: false },
  generic: { number: -32000, retryable: false },
  unauthenticated: { number: -32001, retryable: false },
  forbidden: { number: -32002, retryable: false },
  "not-found": { number: -32003, retryable: false },
  conflict: { number: -32004, retryable: false },
  "rate-limited": { number: -32005, retryable: true },
  "quota-exceeded": { number: -32006, retryable: false },
  "too-large": { number: -32007, retryable: false },
  "response-too-large": { number: -32008, retryable: false },
  busy: { number: -32009, retryable: true },
  "batch-too-large": { number: -32010, retryable: false },
  "batch-response-too-large": { number: -32011, retryable: false },
  "shutting-down": { number: -32012, retryable: true },
  "deadline-exceeded": { number: -32013, retryable: true },
  "invalid-definition": { number: -32014, retryable: false },
  mismatch: { number: -32015, retryable: false },
  "task-failed": { number: -32020, retryable: false },
  "task-cancelled": { number: -32021, retryable: false },
  "task-timed-out": { number: -32022, retryable: false },
  "task-quarantined": { number: -32023, retryable: false },
} as const satisfies Record<string, { number: number; retryable: boolean }>;

export type ErrorCode = keyof typeof errorCodes;

const codeByNumber = new Map<number, ErrorCode>(
  Object.entries(errorCodes).map(([code, { number }]) => [number, code as ErrorCode]),
);

/** The stable code of a JSON-RPC error number; numbers of nobody's are `generic`. */
export function toErrorCode(number: number): ErrorCode {
  return codeByNumber.get(number) ?? "generic";
}
