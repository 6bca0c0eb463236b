import type { IncomingMessage } from "node:http";
import { isLoopbackHost } from "../loopback.ts";

export const rpcPath = "/rpc";

export interface Refusal {
  readonly status: number;
  readonly message: string;
}

/**
 * Keeps web pages out. Browsers send `Origin` with every upgrade and every POST across origins,
 * and a page cannot forge it; programs send none.
 */
export function refuseStranger(
  { headers }: IncomingMessage,
  allowedOrigins: ReadonlySet<string>,
): Refusal | null {
  const { origin, host } = headers;
  if (!isLoopbackHost(host)) {
    return { status: 403, message: "This gateway answers to localhost only" };
  }
  if (origin !== undefined && !allowedOrigins.has(origin)) {
    return { status: 403, message: "This origin is not on the gateway's list" };
  }
  return null;
}

export function pathOf({ url = "/" }: IncomingMessage): string {
  const queryAt = url.indexOf("?");
  return queryAt === -1 ? url : url.slice(0, queryAt);
}
