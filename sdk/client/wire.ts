import { KantokuError } from "../errors.ts";
import { type ErrorCode, errorCodes, toErrorCode } from "../protocol/error-code.ts";
import { limits } from "../protocol/limits.ts";
import { isRecord } from "../values/record.ts";

type Members = Readonly<Record<string, unknown>>;

/** What a peer may send us, once its shape was looked at. */
export type Incoming =
  | { readonly kind: "result"; readonly id: number; readonly result: unknown }
  | { readonly kind: "error"; readonly id: number; readonly error: KantokuError }
  | { readonly kind: "notification"; readonly method: string; readonly params: Members }
  /** An error that names no call: a whole frame of ours was refused, with who knows what in it. */
  | { readonly kind: "frame-refused"; readonly error: KantokuError }
  | { readonly kind: "ignored" };

const utf8BytesPerCharMax = 3;
const textEncoder = new TextEncoder();
// The brackets, and a byte to spare: a frame of exactly the limit is the server's to judge, not ours.
const roomMax = limits.frameToServerBytesMax - 3;

/** The messages of a frame; undefined when it is not JSON or neither an object nor an array of them. */
export function readFrame(data: unknown): readonly Incoming[] | undefined {
  if (typeof data !== "string") return undefined;
  try {
    const value: unknown = JSON.parse(data);
    if (Array.isArray(value)) return value.map(readMessage);
    return isRecord(value) ? [readMessage(value)] : undefined;
  } catch {
    return undefined;
  }
}

/** @throws KantokuError `too-large` for what no frame can carry */
export function writeCall(id: number, method: string, params: object): string {
  const text = `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":${JSON.stringify(params)}}`;
  const bytes = utf8Bytes(text);
  if (bytes <= roomMax) return text;
  throw new KantokuError("too-large", `the call of ${method} is ${bytes} bytes`, {
    data: { limit: roomMax, bytes },
  });
}

/** Frames with the messages in order: one alone as an object, several as an array. */
export function packFrames(texts: readonly string[]): readonly string[] {
  const frames: string[] = [];
  let batch: string[] = [];
  let bytes = 0;
  for (const text of texts) {
    const more = utf8Bytes(text) + 1;
    if (batch.length === limits.batchMessagesMax || bytes + more > roomMax) {
      frames.push(writeFrame(batch));
      batch = [];
      bytes = 0;
    }
    batch.push(text);
    bytes += more;
  }
  if (batch.length > 0) frames.push(writeFrame(batch));
  return frames;
}

function writeFrame(texts: readonly string[]): string {
  const [first] = texts;
  return texts.length === 1 && first !== undefined ? first : `[${texts.join(",")}]`;
}

// Counting is worth its time only near the limit; far below it the bound is as good.
function utf8Bytes(text: string): number {
  const bound = text.length * utf8BytesPerCharMax;
  return bound <= roomMax / limits.batchMessagesMax ? bound : textEncoder.encode(text).length;
}

function readMessage(value: unknown): Incoming {
  if (!isRecord(value)) return { kind: "ignored" };
  const { id, method, params, result, error } = value as Members & Record<string, unknown>;
  if (typeof method === "string") {
    return { kind: "notification", method, params: isRecord(params) ? params : {} };
  }
  if (isRecord(error)) {
    const read = readError(error);
    return typeof id === "number"
      ? { kind: "error", id, error: read }
      : { kind: "frame-refused", error: read };
  }
  return typeof id === "number" ? { kind: "result", id, result } : { kind: "ignored" };
}

function readError({ code, message, data }: Members & Record<string, unknown>): KantokuError {
  const facts = isRecord(data) ? data : {};
  const named = facts["code"];
  return new KantokuError(
    isErrorCode(named) ? named : toErrorCode(Number(code)),
    typeof message === "string" ? message : "the server gave no reason",
    { data: facts },
  );
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(errorCodes, code);
}
