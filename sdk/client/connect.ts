import { KantokuError } from "../errors.ts";
import { type Clock, systemClock, wait } from "../time/clock.ts";
import { Connection } from "./connection.ts";
import { explainSilence } from "./http-answer.ts";
import { createClient, type Kantoku } from "./kantoku.ts";
import { RemoteService } from "./remote-service.ts";

export interface ConnectOptions {
  /** An open gateway on loopback needs neither id nor secret. */
  readonly clientId?: string;
  readonly clientSecret?: string;
  readonly namespace?: string;
  /** For the first session; later ones are sought for as long as the client is open. 10 s unless given. */
  readonly connectTimeoutMs?: number;
  /** In place of the global one. */
  readonly WebSocket?: typeof WebSocket;
  readonly clock?: Clock;
  readonly random?: () => number;
}

const connectTimeoutMsDefault = 10_000;

/**
 * A client of the gateway at a URL (`ws://host:port`; `/rpc` is added). Given several, it moves to
 * the next when one is gone. Reconnects by itself until it is closed.
 * @throws KantokuError `unauthenticated`, `forbidden`; `deadline-exceeded` when none answers, with
 * what was wrong at each as far as that can be known
 */
export async function connect(
  urls: string | readonly string[],
  options: ConnectOptions = {},
): Promise<Kantoku> {
  const { clock = systemClock, random = Math.random } = options;
  const connection = new Connection({
    urls: toSocketUrls(urls),
    session: toSession(options),
    WebSocket: options.WebSocket ?? globalThis.WebSocket,
    clock,
    random,
  });
  const service = new RemoteService(connection, { clock, random });
  await firstSession(connection, { urls, options, clock });
  return createClient(service, { clock, random, onClose: () => connection.close() });
}

async function firstSession(
  connection: Connection,
  {
    urls,
    options,
    clock,
  }: { urls: string | readonly string[]; options: ConnectOptions; clock: Clock },
): Promise<void> {
  const timeoutMs = options.connectTimeoutMs ?? connectTimeoutMsDefault;
  const settled = new AbortController();
  void wait(clock, timeoutMs, settled.signal).then(async () => {
    if (settled.signal.aborted) return;
    const faults = await Promise.all(
      Array.from(connection.losses, ([url, cause]) => cause ?? explainSilence(url)),
    );
    // One may have answered while the reasons of the others were asked for.
    if (!settled.signal.aborted) connection.close(nobodyAnswered(urls, { timeoutMs, faults }));
  });
  try {
    await connection.open();
  } finally {
    settled.abort();
  }
}

function toSession({ clientId, clientSecret, namespace }: ConnectOptions): Record<string, unknown> {
  return {
    batching: true,
    ...(clientId !== undefined && { clientId }),
    ...(clientSecret !== undefined && { clientSecret }),
    ...(namespace !== undefined && { namespace }),
  };
}

function toSocketUrls(urls: string | readonly string[]): readonly string[] {
  const given = typeof urls === "string" ? [urls] : urls;
  if (given.length === 0) throw new KantokuError("invalid-params", "connect needs a URL");
  return given.map(toSocketUrl);
}

function toSocketUrl(given: string): string {
  const url = URL.parse(given);
  if (!url || !/^(ws|http)s?:$/.test(url.protocol)) {
    throw new KantokuError(
      "invalid-params",
      `not a WebSocket URL: ${JSON.stringify(given)}; write one like ws://127.0.0.1:7400`,
    );
  }
  url.protocol = url.protocol.replace("http", "ws");
  if (url.pathname === "/") url.pathname = "/rpc";
  return url.href;
}

function nobodyAnswered(
  urls: string | readonly string[],
  { timeoutMs, faults }: { timeoutMs: number; faults: readonly Error[] },
): KantokuError {
  const tried = typeof urls === "string" ? [urls] : urls;
  const what = `no session at ${tried.join(", ")} in ${timeoutMs} ms`;
  const message = faults.length === 0 ? what : `${what}: ${faults.map(wordsOf).join("; ")}`;
  const [cause] = faults;
  return new KantokuError("deadline-exceeded", message, { data: { urls: tried }, cause });
}

/** A name with several addresses, none of which answers, is an error without a message. */
function wordsOf(fault: Error & { readonly code?: unknown }): string {
  return fault.message === "" ? String(fault.code ?? fault.name) : fault.message;
}
