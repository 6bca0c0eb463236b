import { once } from "node:events";
import { connect as openSocket } from "node:net";
import { statusLine } from "../sdk/client/http-answer.ts";
import { readFrame } from "../sdk/client/wire.ts";
import { connect, type Kantoku, type KantokuError } from "../sdk/index.ts";
import type { ClientSettings } from "./settings.ts";

const patienceMs = 3_000;
const callId = 2;

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
  return await connect(urls, {
    connectTimeoutMs: patienceMs,
    ...(namespace !== undefined && { namespace }),
  });
}

/**
 * One call over HTTP, of what clients of tasks have no use for: a read, or what may be said twice.
 * @throws KantokuError
 */
export async function askGateway<Result>(
  { urls, namespace }: ClientSettings,
  method: string,
  params: object = {},
): Promise<Result> {
  await assertSomebodyListens(urls);
  // Over HTTP each request is a session of its own: it is opened along with the call.
  const batch = [
    { jsonrpc: "2.0", id: 1, method: "session.open", params: namespace ? { namespace } : {} },
    { jsonrpc: "2.0", id: callId, method, params },
  ];
  let fault = unreachable(urls);
  for (const url of urls) {
    const answer = await post(url, batch);
    if (answer.kind === "result") return answer.result as Result;
    if (answer.kind === "error" && !answer.error.retryable) throw answer.error;
    if (answer.kind !== "silence") fault = answer.error;
  }
  throw fault;
}

type Answer =
  | { readonly kind: "result"; readonly result: unknown }
  | { readonly kind: "error"; readonly error: KantokuError }
  /** Something else than a gateway: a proxy, or the door before one. */
  | { readonly kind: "stranger"; readonly error: Error }
  | { readonly kind: "silence" };

async function post(url: string, batch: readonly object[]): Promise<Answer> {
  const target = toHttpUrl(url);
  try {
    const response = await fetch(target, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(batch),
    });
    const text = await response.text();
    const said = statusLine(response, text);
    return answerIn(text) ?? { kind: "stranger", error: new Error(`${target} answers ${said}`) };
  } catch {
    return { kind: "silence" };
  }
}

function answerIn(text: string): Answer | undefined {
  const messages = readFrame(text) ?? [];
  const result = messages.find((it) => it.kind === "result" && it.id === callId);
  if (result?.kind === "result") return result;
  // One without the call's id is of the whole batch.
  const refusals = messages.filter((it) => it.kind === "error" || it.kind === "frame-refused");
  const error = (refusals.find((it) => it.kind === "error" && it.id === callId) ?? refusals[0])
    ?.error;
  return error && { kind: "error", error };
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
