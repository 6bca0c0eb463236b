import { type ErrorCode, errorCodes } from "./protocol/error-code.ts";

const brand = Symbol.for("kantoku.error");

/** Every error of kantoku's own. Branch on `code`, never on the class or the message. */
export class KantokuError extends Error {
  readonly code: ErrorCode;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { data?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.name = "KantokuError";
    this.code = code;
    this.data = options.data ?? {};
    Object.defineProperty(this, brand, { value: true });
  }

  /** Whether the same call may be sent again under the same idempotency key. */
  get retryable(): boolean {
    return errorCodes[this.code].retryable;
  }
}

/** Survives a second copy of the package: asks for the brand, not the class. */
export function isKantokuError(error: unknown, code?: ErrorCode): error is KantokuError {
  if (typeof error !== "object" || error === null || !(brand in error)) return false;
  return code === undefined || ("code" in error && error.code === code);
}

/** Thrown by a task's function to say that no further attempt can help. */
export class TerminalError extends Error {
  readonly retryable = false;

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "TerminalError";
  }
}
