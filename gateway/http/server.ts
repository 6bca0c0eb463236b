import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Session } from "../session.ts";
import { pathOf, refuseStranger, rpcPath } from "./door.ts";
import { answerPost, respondJson, respondText } from "./rpc.ts";

interface HttpOptions {
  readonly allowedOrigins: ReadonlySet<string>;
  readonly connectionsMax: number;
  readonly ready: () => Promise<boolean> | boolean;
  /** A session for one request; null when its connection has too many under way. */
  readonly openSession: (response: ServerResponse) => Session | null;
  readonly failed: (failure: unknown) => void;
}

export function createHttpServer(options: HttpOptions): Server {
  const server = createServer(
    {
      // A peer that drips its headers holds a socket for ten seconds, not for ever.
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      connectionsCheckingInterval: 2_000,
      keepAliveTimeout: 5_000,
      maxHeaderSize: 16 * 1024,
    },
    (request, response) => {
      answer(request, { response, options }).catch((failure: unknown) => {
        options.failed(failure);
        response.destroy();
      });
    },
  );
  server.maxHeadersCount = 100;
  // Room for a refusal with a status beyond the last WebSocket, which upgrades count themselves.
  server.maxConnections = options.connectionsMax + 100;
  return server;
}

async function answer(
  request: IncomingMessage,
  { response, options }: { response: ServerResponse; options: HttpOptions },
): Promise<void> {
  const path = pathOf(request);
  if (path === "/healthz") return answerHealth(request, { response, isHealthy: true });
  if (path === "/readyz") {
    return answerHealth(request, { response, isHealthy: await isReady(options) });
  }
  if (path !== rpcPath) return respondText(response, 404, "Not found; the gateway is at /rpc");
  if (request.method !== "POST") {
    response.setHeader("allow", "POST");
    return respondText(response, 405, "POST a message, or upgrade to a WebSocket");
  }
  const refusal = refuseStranger(request, options.allowedOrigins);
  if (refusal !== null) return respondText(response, refusal.status, refusal.message);
  const session = options.openSession(response);
  if (session === null) return respondText(response, 429, "Wait for answers before you send more");
  await answerPost(request, { response, session });
}

async function isReady({ ready, failed }: HttpOptions): Promise<boolean> {
  try {
    return await ready();
  } catch (failure) {
    failed(failure);
    return false;
  }
}

function answerHealth(
  { method }: IncomingMessage,
  { response, isHealthy }: { response: ServerResponse; isHealthy: boolean },
): void {
  if (method !== "GET" && method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    respondText(response, 405, "GET only");
    return;
  }
  response.setHeader("cache-control", "no-store");
  const text = JSON.stringify({ status: isHealthy ? "ok" : "unavailable" });
  respondJson(response, { status: isHealthy ? 200 : 503, text });
}
