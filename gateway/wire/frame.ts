import { isUtf8 } from "node:buffer";
import { limits } from "../../sdk/protocol/limits.ts";
import { frameDepthMax } from "../bounds.ts";
import { errorReply, type Reply } from "./reply.ts";

type Frame =
  | { readonly kind: "one"; readonly message: unknown }
  | { readonly kind: "batch"; readonly messages: readonly unknown[] }
  | { readonly kind: "fault"; readonly reply: Reply };

const quote = 0x22;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * Whether brackets nest deeper than `depthMax`. Linear and before the parse, because V8 parses
 * 500,000 levels (0.3 s for 1 MiB) and then throws when it has to write them again.
 */
export function isDeeperThan(depthMax: number, bytes: Uint8Array): boolean {
  let depth = 0;
  let isInString = false;
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index];
    if (isInString) {
      if (byte === backslash) index += 1;
      else if (byte === quote) isInString = false;
    } else if (byte === quote) {
      isInString = true;
    } else if (byte === openBrace || byte === openBracket) {
      depth += 1;
      if (depth > depthMax) return true;
    } else if (byte === closeBrace || byte === closeBracket) {
      depth -= 1;
    }
  }
  return false;
}

/** Size is the transport's to check; encoding is too for WebSocket, and here for HTTP. */
export function parseFrame(bytes: Buffer): Frame {
  if (!isUtf8(bytes)) return fault("parse-error", "Parse error", "not UTF-8");
  if (isDeeperThan(frameDepthMax, bytes)) {
    return fault("invalid-request", "Invalid Request", `nested deeper than ${frameDepthMax}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch {
    return fault("parse-error", "Parse error", "not JSON");
  }
  if (!Array.isArray(value)) return { kind: "one", message: value };
  if (value.length === 0) return fault("invalid-request", "Invalid Request", "an empty batch");
  if (value.length > limits.batchMessagesMax) {
    const reason = `a batch holds at most ${limits.batchMessagesMax} messages`;
    return fault("batch-too-large", "Batch too large", reason);
  }
  return { kind: "batch", messages: value };
}

function fault(
  code: "parse-error" | "invalid-request" | "batch-too-large",
  message: string,
  reason: string,
): Frame {
  return { kind: "fault", reply: errorReply(null, code, { message, data: { reason } }) };
}
