import { once } from "node:events";
import { connect as openSocket } from "node:net";
import { connect, isKantokuError, type Kantoku } from "../sdk/index.ts";
import type { ClientSettings } from "./settings.ts";

const patienceMs = 3_000;

/** Lends a client of the gateway, and closes it afterwards. */
export async function withClient<Result>(
  settings: ClientSettings,
  act: (client: Kantoku) => Promise<Result>,
): Promise<Result> {
  const client = await reach(settings);
  try {
    return await act(client);
  } finally {
    await client.close();
  }
}

async function reach({ urls, namespace }: ClientSettings): Promise<Kantoku> {
  await assertSomebodyListens(urls);
  try {
    return await connect(urls, {
      connectTimeoutMs: patienceMs,
      ...(namespace !== undefined && { namespace }),
    });
  } catch (error) {
    if (isKantokuError(error, "deadline-exceeded")) throw unreachable(urls);
    throw error;
  }
}

/** Asks what clients of tasks have no use for: one call over HTTP. */
export async function askGateway({ urls }: ClientSettings, method: string): Promise<unknown> {
  await assertSomebodyListens(urls);
  for (const url of urls) {
    const answer = await post(url, { jsonrpc: "2.0", id: 1, method, params: {} });
    if (answer === undefined) continue;
    if (answer.error !== undefined) throw new Error(answer.error.message);
    return answer.result;
  }
  throw unreachable(urls);
}

interface Answer {
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

async function post(url: string, message: object): Promise<Answer | undefined> {
  try {
    const response = await fetch(toHttpUrl(url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(message),
    });
    return (await response.json()) as Answer;
  } catch {
    return undefined;
  }
}

function toHttpUrl(url: string): string {
  const target = new URL(url.replace(/^ws/, "http"));
  if (target.pathname === "/") target.pathname = "/rpc";
  return target.href;
}

/** The client itself keeps trying; a person at a terminal wants to know at once. */
async function assertSomebodyListens(urls: readonly string[]): Promise<void> {
  const knocks = await Promise.allSettled(urls.map(knock));
  if (knocks.every(({ status }) => status === "rejected")) throw unreachable(urls);
}

async function knock(url: string): Promise<void> {
  const { protocol, hostname, port } = new URL(url);
  const socket = openSocket({
    host: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port || (/^(wss|https):$/.test(protocol) ? 443 : 80)),
  });
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(patienceMs) });
  } finally {
    socket.destroy();
  }
}

function unreachable(urls: readonly string[]): Error {
  return new Error(
    `no gateway answers at ${urls.join(", ")}; start one with "ktk dev", or name another with --url or KANTOKU_URL`,
  );
}
