import { isKantokuError, type KantokuError } from "../../sdk/errors.ts";
import { type ErrorCode, errorCodes } from "../../sdk/protocol/error-code.ts";

export type MessageId = string | number | null;

interface ErrorMember {
  readonly code: number;
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export type Reply =
  | { readonly jsonrpc: "2.0"; readonly id: MessageId; readonly result: unknown }
  | { readonly jsonrpc: "2.0"; readonly id: MessageId; readonly error: ErrorMember };

export function errorReply(
  id: MessageId,
  code: ErrorCode,
  { message, data = {} }: { message: string; data?: Readonly<Record<string, unknown>> },
): Reply {
  const error = { code: errorCodes[code].number, message, data: { ...data, code } };
  return { jsonrpc: "2.0", id, error };
}

/** What a peer may learn of a failure: all of a KantokuError, nothing of anything else. */
export function toErrorReply(id: MessageId, failure: unknown): Reply {
  if (!isKantokuError(failure)) return errorReply(id, "internal", { message: "Internal error" });
  const { code, message } = failure;
  const data = code === "invalid-params" ? withIssues(failure) : failure.data;
  return errorReply(id, code, { message, data });
}

/** A service stops at the first thing that is wrong; peers find it where they find the others. */
function withIssues({ message, data }: KantokuError): Readonly<Record<string, unknown>> {
  if ("issues" in data) return data;
  const { path = "" } = data;
  return { ...data, issues: [{ path, message }] };
}

/** Writes a reply. One that JSON cannot carry, or that is too long, becomes an error of the same id. */
export function toText(
  reply: Reply,
  { bytesMax, onUnwritable }: { bytesMax: number; onUnwritable: (failure: unknown) => void },
): string {
  let text: string;
  try {
    if ("result" in reply) assertWritable(reply.result);
    text = JSON.stringify(reply);
  } catch (failure) {
    onUnwritable(failure);
    return JSON.stringify(toErrorReply(reply.id, failure));
  }
  if (fits(text, bytesMax)) return text;
  const message = `The answer is longer than ${bytesMax} bytes; ask for less, or in pages`;
  return JSON.stringify(errorReply(reply.id, "response-too-large", { message }));
}

/** JSON would leave these out, and with them a member that the specification requires. */
function assertWritable(result: unknown): void {
  if (typeof result === "function" || typeof result === "symbol") {
    throw new TypeError(`a ${typeof result} is no JSON value`);
  }
}

/** Counts UTF-8 bytes only where the length leaves a doubt: no UTF-16 unit takes more than three. */
export function fits(text: string, bytesMax: number): boolean {
  if (text.length * 3 <= bytesMax) return true;
  return text.length <= bytesMax && Buffer.byteLength(text) <= bytesMax;
}
