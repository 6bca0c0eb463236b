import type { IncomingMessage, ServerResponse } from "node:http";
import { limits } from "../../sdk/protocol/limits.ts";
import { receiveFrame } from "../exchange.ts";
import type { Session } from "../session.ts";
import { errorReply } from "../wire/reply.ts";

type Body =
  | { readonly kind: "whole"; readonly bytes: Buffer }
  | { readonly kind: "too-large" }
  | { readonly kind: "cut" };

/** One POST: a message or a batch, answered in full or, if there is nothing to answer, with 204. */
export async function answerPost(
  request: IncomingMessage,
  { response, session }: { response: ServerResponse; session: Session },
): Promise<void> {
  if (!isJson(request.headers["content-type"])) {
    return respondText(response, 415, "POST application/json");
  }
  if (!isPlain(request.headers["content-encoding"])) {
    return respondText(response, 415, "Send the body without an encoding");
  }
  const body = await readBody(request);
  if (body.kind === "cut") return;
  if (body.kind === "too-large") {
    const message = `A body is at most ${limits.frameToServerBytesMax} bytes`;
    response.setHeader("connection", "close");
    return respondJson(response, {
      status: 413,
      text: JSON.stringify(errorReply(null, "too-large", { message })),
    });
  }
  receiveFrame(body.bytes, {
    session,
    calls: session.calls,
    answerBytesMax: session.bounds.answerBytesMax,
    isBatching: () => false,
    send: (text) => respondJson(response, { status: 200, text }),
    silent: () => respond(response, 204),
    unwritable: (failure) => session.reportUnwritable(failure),
  });
}

export function respondText(response: ServerResponse, status: number, message: string): void {
  response.setHeader("content-type", "text/plain; charset=utf-8");
  respond(response, status, `${message}\n`);
}

export function respondJson(
  response: ServerResponse,
  { status, text }: { status: number; text: string },
): void {
  response.setHeader("content-type", "application/json");
  respond(response, status, text);
}

function respond(response: ServerResponse, status: number, body = ""): void {
  // The peer left before its answer came.
  if (response.destroyed || response.headersSent) return;
  response.statusCode = status;
  response.end(body);
}

function isJson(contentType: string | undefined): boolean {
  return contentType?.split(";", 1)[0]?.trim().toLowerCase() === "application/json";
}

/** A kilobyte of gzip can stand for a gigabyte, and kantoku's messages are small. */
function isPlain(contentEncoding = "identity"): boolean {
  return ["", "identity"].includes(contentEncoding.trim().toLowerCase());
}

function readBody(request: IncomingMessage): Promise<Body> {
  const { promise, resolve } = Promise.withResolvers<Body>();
  const chunks: Buffer[] = [];
  let length = 0;
  request.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length <= limits.frameToServerBytesMax) chunks.push(chunk);
    else resolve({ kind: "too-large" });
  });
  request.on("end", () => resolve({ kind: "whole", bytes: Buffer.concat(chunks) }));
  request.on("error", () => resolve({ kind: "cut" }));
  request.on("close", () => resolve({ kind: "cut" }));
  return promise;
}
