import { isRecord } from "../../sdk/values/record.ts";
import { errorReply, type MessageId, type Reply } from "./reply.ts";

/** A valid request; without `id` it is a notification and is never answered. */
export interface Request {
  readonly jsonrpc: "2.0";
  readonly method: string;
  readonly params: object | undefined;
  readonly id: MessageId | undefined;
}

type Message =
  | { readonly kind: "request"; readonly request: Request }
  | { readonly kind: "invalid"; readonly reply: Reply }
  /** Looks like an answer to a call of ours; the gateway makes none, and an answer is never answered. */
  | { readonly kind: "response" };

const idLengthMax = 256;

/** The shape of JSON-RPC 2.0 section 4. An invalid message with a usable id gets that id echoed. */
export function parseMessage(value: unknown): Message {
  if (!isRecord(value)) return invalid(null, "a message is an object");
  const { jsonrpc, method, params, id, result, error } = value;
  if (method === undefined && (result !== undefined || error !== undefined)) {
    return { kind: "response" };
  }
  if (id !== undefined && !isMessageId(id)) {
    return invalid(null, "an id is a string of at most 256 characters, a safe number or null");
  }
  const echoed = id ?? null;
  if (jsonrpc !== "2.0") return invalid(echoed, 'jsonrpc must be "2.0"');
  if (typeof method !== "string") return invalid(echoed, "method must be a string");
  if (params !== undefined && (typeof params !== "object" || params === null)) {
    return invalid(echoed, "params must be an object");
  }
  return { kind: "request", request: { jsonrpc, method, params, id } };
}

/** JavaScript would echo 9007199254740993 as …992, an id that the peer never sent. */
function isMessageId(id: unknown): id is MessageId {
  if (id === null) return true;
  if (typeof id === "string") return id.length <= idLengthMax && id.isWellFormed();
  if (typeof id !== "number" || !Number.isFinite(id)) return false;
  return !Number.isInteger(id) || Number.isSafeInteger(id);
}

function invalid(id: MessageId, reason: string): Message {
  const reply = errorReply(id, "invalid-request", { message: "Invalid Request", data: { reason } });
  return { kind: "invalid", reply };
}
