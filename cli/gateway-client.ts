import { once } from "node:events";
import { connect as openSocket } from "node:net";
import { statusLine } from "../sdk/client/http-answer.ts";
import { readFrame } from "../sdk/client/wire.ts";
import { connect, type Kantoku, KantokuError } from "../sdk/index.ts";
import { systemClock } from "../sdk/time/clock.ts";
import { type ClientSettings, settings as settingNames } from "./settings.ts";

const patienceMs = 3_000;
const answerTimeoutMsDefault = 10_000;
const callId = 2;

/**
 * Passes an answer on; rejects when it does not come in time, or so long after the wait that was
 * asked for. The client itself would wait for ever.
 */
export type Answered = <Answer>(answer: Promise<Answer>, waitMs?: number) => Promise<Answer>;

/** Lends a client of the gateway, and closes it afterwards. */
export async function withClient<Result>(
  settings: ClientSettings,
  act: (client: Kantoku, answered: Answered) => Promise<Result>,
): Promise<Result> {
  const client = await reach(settings);
  try {
    return await act(client, (answer, waitMs = 0) => inTime(answer, { settings, waitMs }));
  } finally {
    await client.close();
  }
}

async function inTime<Answer>(
  answer: Promise<Answer>,
  { settings, waitMs }: { settings: ClientSettings; waitMs: number },
): Promise<Answer> {
  const { urls, answerTimeoutMs = answerTimeoutMsDefault } = settings;
  const late = Promise.withResolvers<never>();
  const dueMs = waitMs + answerTimeoutMs;
  const disarm = systemClock.after(dueMs, () => late.reject(unanswered(urls.join(", "), dueMs)));
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    disarm();
  }
}

async function reach(settings: ClientSettings): Promise<Kantoku> {
  const { urls, namespace, answerTimeoutMs = patienceMs } = settings;
  await assertSomebodyListens(urls);
  return await connect(urls, {
    connectTimeoutMs: Math.max(patienceMs, answerTimeoutMs),
    ...(namespace !== undefined && { namespace }),
  });
}

/**
 * One call over HTTP, of what clients of tasks have no use for: a read, or what may be said twice.
 * @throws KantokuError
 */
export async function askGateway<Result>(
  { urls, namespace, answerTimeoutMs = answerTimeoutMsDefault }: ClientSettings,
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
    const answer = await post(url, batch, answerTimeoutMs);
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

async function post(
  url: string,
  batch: readonly object[],
  answerTimeoutMs: number,
): Promise<Answer> {
  const target = toHttpUrl(url);
  const late = new AbortController();
  const fault = unanswered(target, answerTimeoutMs);
  const disarm = systemClock.after(answerTimeoutMs, () => late.abort(fault));
  try {
    const response = await fetch(target, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(batch),
      signal: late.signal,
    });
    const text = await response.text();
    const said = statusLine(response, text);
    return answerIn(text) ?? { kind: "stranger", error: new Error(`${target} answers ${said}`) };
  } catch {
    return late.signal.aborted ? { kind: "error", error: fault } : { kind: "silence" };
  } finally {
    disarm();
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

function unanswered(where: string, afterMs: number): KantokuError {
  const { flag, variable } = settingNames.answerTimeout;
  return new KantokuError(
    "deadline-exceeded",
    `no answer from ${where} in ${afterMs} ms; ${flag} or ${variable} gives it longer`,
  );
}

function unreachable(urls: readonly string[]): Error {
  return new Error(
    `no gateway answers at ${urls.join(", ")}; start one with "ktk dev", or name another with --url or KANTOKU_URL`,
  );
}
