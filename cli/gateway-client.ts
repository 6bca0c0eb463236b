import { once } from "node:events";
import { connect as openSocket } from "node:net";
import {
  connect,
  type ErrorCode,
  errorCodes,
  isKantokuError,
  type Kantoku,
  KantokuError,
} from "../sdk/index.ts";
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

/** One call over HTTP, of what clients of tasks have no use for. @throws KantokuError */
export async function askGateway<Result>(
  { urls, namespace }: ClientSettings,
  method: string,
  params: object = {},
): Promise<Result> {
  await assertSomebodyListens(urls);
  // Over HTTP each request is a session of its own: it is opened along with the call.
  const batch = [
    { jsonrpc: "2.0", id: 1, method: "session.open", params: namespace ? { namespace } : {} },
    { jsonrpc: "2.0", id: 2, method, params },
  ];
  for (const url of urls) {
    const answers = await post(url, batch);
    if (answers === undefined) continue;
    const { error, result } = answers.find(({ id }) => id === 2) ?? answers[0] ?? {};
    if (error !== undefined) throw toKantokuError(error);
    return result as Result;
  }
  throw unreachable(urls);
}

interface Answer {
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: AnswerError;
}

interface AnswerError {
  readonly message: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

function toKantokuError({ message, data = {} }: AnswerError): KantokuError {
  const code = (Object.keys(errorCodes) as ErrorCode[]).find((known) => known === data["code"]);
  return new KantokuError(code ?? "generic", message, { data });
}

async function post(url: string, batch: readonly object[]): Promise<readonly Answer[] | undefined> {
  try {
    const response = await fetch(toHttpUrl(url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(batch),
    });
    return [(await response.json()) as Answer | readonly Answer[]].flat();
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
