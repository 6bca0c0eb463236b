import { once } from "node:events";
import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Service } from "../sdk/protocol/service.ts";
import { type Bounds, defaultBounds } from "./bounds.ts";
import { type Clock, systemClock } from "./clock.ts";
import { createDispatch } from "./dispatch.ts";
import { type Entropy, systemEntropy } from "./entropy.ts";
import { pathOf, type Refusal, refuseStranger, rpcPath } from "./http/door.ts";
import { createHttpServer } from "./http/server.ts";
import { type Log, stderrLog } from "./log.ts";
import { assertLoopback } from "./loopback.ts";
import { methods } from "./methods/index.ts";
import { Peers } from "./peers.ts";
import { createReadLines } from "./read-lines.ts";
import { serveWebSockets } from "./transport/ws.ts";

export interface GatewayOptions {
  readonly service: (namespace: string) => Service;
  /** Loopback only: this version knows no clients. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Exact values of `Origin` that web pages may come from; none unless given. */
  readonly allowedOrigins?: readonly string[];
  /** Whether /readyz says yes; a rejection means no. */
  readonly ready?: () => Promise<boolean> | boolean;
  readonly log?: Log;
  readonly clock?: Clock;
  readonly entropy?: Entropy;
  readonly bounds?: Partial<Bounds>;
}

export interface Gateway {
  readonly address: { readonly host: string; readonly port: number; readonly url: string };
  /** Finishes what runs for up to ten seconds, then closes every socket with 1012. */
  close(): Promise<void>;
}

/**
 * Serves the protocol; resolves when it listens.
 * @throws KantokuError `forbidden` for a host that is not loopback; the system's error for a taken port
 */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  assertLoopback(options.host);
  const { log = stderrLog, clock = systemClock, entropy = systemEntropy } = options;
  const bounds = { ...defaultBounds, ...options.bounds };
  const dispatch = createDispatch(methods, { log, entropy });
  const peers = new Peers({
    service: options.service,
    dispatch,
    bounds,
    openLines: createReadLines(bounds),
    clock,
    entropy,
    log,
  });
  const allowedOrigins = new Set(options.allowedOrigins);
  const server = createHttpServer({
    allowedOrigins,
    connectionsMax: bounds.connectionsMax,
    ready: async () => !peers.isDraining && (await (options.ready?.() ?? true)),
    openSession: (response) => peers.openPost(response),
    failed: (failure) => log.error("an HTTP request failed", { failure: String(failure) }),
  });
  serveWebSockets(server, {
    closeMs: bounds.closeMs,
    refuse: (request) => refuseUpgrade(request, { allowedOrigins, peers, bounds }),
    opened: (wire) => peers.openSocket(wire),
  });
  try {
    await listen(server, options);
  } catch (failure) {
    await peers.end();
    throw failure;
  }
  // Accepting one connection may fail, out of file descriptors for example; the others go on.
  server.on("error", (failure) => log.error("the server failed", { failure: String(failure) }));
  let closing: Promise<void> | undefined;
  return {
    address: toAddress(server, options.host),
    close: () => {
      closing ??= close(server, peers);
      return closing;
    },
  };
}

function refuseUpgrade(
  request: IncomingMessage,
  {
    allowedOrigins,
    peers,
    bounds,
  }: { allowedOrigins: ReadonlySet<string>; peers: Peers; bounds: Bounds },
): Refusal | null {
  if (pathOf(request) !== rpcPath) return { status: 404, message: "The gateway is at /rpc" };
  const refusal = refuseStranger(request, allowedOrigins);
  if (refusal !== null) return refusal;
  if (peers.isDraining) return { status: 503, message: "Shutting down" };
  if (peers.socketCount >= bounds.connectionsMax) {
    return { status: 503, message: "Too many connections" };
  }
  return null;
}

async function listen(server: Server, { host, port }: GatewayOptions): Promise<void> {
  server.listen({ host, port });
  await once(server, "listening");
}

function toAddress(server: Server, host: string): Gateway["address"] {
  const { port } = server.address() as AddressInfo;
  const authority = host.includes(":") ? `[${host}]` : host;
  return { host, port, url: `ws://${authority}:${port}${rpcPath}` };
}

async function close(server: Server, peers: Peers): Promise<void> {
  const closed = once(server, "close");
  server.close();
  await peers.end();
  server.closeAllConnections();
  await closed;
}
