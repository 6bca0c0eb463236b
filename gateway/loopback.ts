import { KantokuError } from "../sdk/errors.ts";

const loopback = /^(localhost|127(\.\d{1,3}){3}|::1)$/i;

/**
 * Anybody who reaches an open gateway may run anything, so it stays on this machine.
 * @throws KantokuError `forbidden`
 */
export function assertLoopback(host: string): void {
  if (loopback.test(host)) return;
  const message = `The gateway refuses to listen on ${host}: this version knows no clients, so whoever reached it could run anything. Listen on 127.0.0.1, and put a proxy with its own authentication in front to be reached from elsewhere`;
  throw new KantokuError("forbidden", message, { data: { host } });
}

/** Whether a Host header names this machine: a web page's own name, rebound to 127.0.0.1, does not. */
export function isLoopbackHost(header: string | undefined): boolean {
  if (header === undefined) return false;
  const host = header.replace(/:\d{1,5}$/, "");
  return loopback.test(host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host);
}
