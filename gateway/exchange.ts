import type { Calls, Deliver } from "./calls.ts";
import { parseFrame } from "./wire/frame.ts";
import { parseMessage } from "./wire/message.ts";
import { errorReply, type Reply, toText } from "./wire/reply.ts";

/** How one peer's frames are answered. */
export interface Exchange<Session> {
  readonly session: Session;
  readonly calls: Calls<Session>;
  readonly answerBytesMax: number;
  /** The peer said `batching: true`: an array is a tick's messages, each answered when it is ready. */
  isBatching(): boolean;
  send(text: string, reply: Reply | null): void;
  /** A frame was handled and nothing is to be sent. */
  silent(): void;
  unwritable(failure: unknown): void;
}

/** Handles one frame: calls `send` or `silent` once, for a batching peer once a message. */
export function receiveFrame<Session>(bytes: Buffer, exchange: Exchange<Session>): void {
  const frame = parseFrame(bytes);
  if (frame.kind === "fault") {
    sendReply(frame.reply, exchange);
  } else if (frame.kind === "one") {
    receiveMessage(frame.message, exchange, sending(exchange));
  } else if (exchange.isBatching()) {
    for (const message of frame.messages) receiveMessage(message, exchange, sending(exchange));
  } else {
    receiveBatch(frame.messages, exchange);
  }
}

function receiveMessage<Session>(
  value: unknown,
  { calls, session }: Exchange<Session>,
  deliver: Deliver,
): void {
  const message = parseMessage(value);
  if (message.kind === "request") calls.start(message.request, { session, deliver });
  else deliver(message.kind === "invalid" ? message.reply : null);
}

function sending<Session>(exchange: Exchange<Session>): Deliver {
  return (reply, afterwards) => {
    sendReply(reply, exchange);
    afterwards?.();
  };
}

function sendReply<Session>(reply: Reply | null, exchange: Exchange<Session>): void {
  if (reply === null) exchange.silent();
  else exchange.send(writeReply(reply, exchange), reply);
}

/**
 * One array with the replies in the order of their calls, when the slowest has come. What they set
 * off waits for it: nobody has heard of a subscription before.
 */
function receiveBatch<Session>(messages: readonly unknown[], exchange: Exchange<Session>): void {
  const replies = new Array<Reply | null>(messages.length).fill(null);
  const afterwards: (() => void)[] = [];
  let missingCount = messages.length;
  for (const [index, value] of messages.entries()) {
    receiveMessage(value, exchange, (reply, after) => {
      replies[index] = reply;
      if (after !== undefined) afterwards.push(after);
      missingCount -= 1;
      if (missingCount > 0) return;
      sendBatch(replies, exchange);
      for (const run of afterwards) run();
    });
  }
}

function sendBatch<Session>(replies: readonly (Reply | null)[], exchange: Exchange<Session>): void {
  const answers = replies.filter((reply) => reply !== null);
  if (answers.length === 0) {
    exchange.silent();
    return;
  }
  const texts = answers.map((reply) => writeReply(reply, exchange));
  exchange.send(`[${keepFitting(texts, answers, exchange.answerBytesMax).join(",")}]`, null);
}

/** The longest head of the answers that fits, together with an error for each of the others. */
function keepFitting(
  texts: readonly string[],
  replies: readonly Reply[],
  bytesMax: number,
): readonly string[] {
  const sizes = texts.map((text) => Buffer.byteLength(text) + 1);
  if (sum(sizes) + 1 <= bytesMax) return texts;
  const message = `The answers of the batch are longer than ${bytesMax} bytes together`;
  const errors = replies.map(({ id }) =>
    JSON.stringify(errorReply(id, "batch-response-too-large", { message })),
  );
  let room = bytesMax - 1 - sum(errors.map((error) => Buffer.byteLength(error) + 1));
  let keptCount = 0;
  for (const [index, size] of sizes.entries()) {
    room -= size - (Buffer.byteLength(errors[index] ?? "") + 1);
    if (room < 0) break;
    keptCount = index + 1;
  }
  return [...texts.slice(0, keptCount), ...errors.slice(keptCount)];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function writeReply<Session>(
  reply: Reply,
  { answerBytesMax, unwritable }: Exchange<Session>,
): string {
  return toText(reply, { bytesMax: answerBytesMax, onUnwritable: unwritable });
}
