import { KantokuError } from "../errors.ts";
import { closeCodes } from "../protocol/close-code.ts";
import { backoffMs } from "../time/backoff.ts";
import type { Clock } from "../time/clock.ts";
import { CallBook } from "./call-book.ts";
import { nextTick } from "./next-tick.ts";
import { type Incoming, packFrames, readFrame, writeCall } from "./wire.ts";

export interface Loss {
  readonly url: string;
  /** As far as it is known. */
  readonly cause: Error | undefined;
}

/** What stands on a connection and lives on over its sockets. */
export interface ConnectionUser {
  /** A session is open; calls made in here go out before all others. */
  opened(): void;
  /** An open session was lost; another is sought, and nothing more is said until it is there. */
  lost(loss: Loss): void;
  notified(method: string, params: Readonly<Record<string, unknown>>): void;
  /** The server closed because another process took over a worker of this connection. */
  superseded(): void;
  /** Nothing more will come. */
  closed(): void;
}

export interface ConnectionParts {
  readonly urls: readonly string[];
  /** Params of `session.open`. */
  readonly session: Readonly<Record<string, unknown>>;
  readonly WebSocket: typeof WebSocket;
  readonly clock: Clock;
  readonly random: () => number;
}

interface CallOptions {
  readonly isFirst?: boolean;
  readonly isWaiting?: boolean;
  /** Runs with the answer, before any later message of its frame is looked at. */
  readonly onResult?: (result: unknown) => void;
}

const handshakeMs = 10_000;
const idleMs = 15_000;
const pongMs = 5_000;
const waitingCallsMax = 10_000;
// A server that restarts is back in a second or two: that long, tries are at most 800 ms apart.
const quickTries = 10;
const quickFailuresMax = 4;

/**
 * One session with a gateway over as many sockets as it takes.
 *
 * C1 A call is settled once: by its answer, or by the end of the connection as a whole. All methods
 *    may be repeated, so a call whose answer was lost with a socket goes out again on the next.
 * C2 Of a socket that was given up nothing is heard any more, whatever it still delivers.
 * C3 A frame that cannot be read may have been an answer: the socket is given up, so that C1 gets it.
 * C4 The backoff starts over only when a call was answered: a server that opens sessions and does
 *    nothing else is not hammered.
 */
export class Connection {
  user: ConnectionUser | undefined;
  /** Why the last socket to each URL was given up; undefined where nothing was told. */
  readonly losses = new Map<string, Error | undefined>();
  readonly #parts: ConnectionParts;
  readonly #book = new CallBook();
  readonly #ready = Promise.withResolvers<void>();
  #state: "connecting" | "open" | "resting" | "closed" = "resting";
  #socket: WebSocket | undefined;
  #lastId = 0;
  #sessionCall = 0;
  #failures = 0;
  #urlIndex = 0;
  #receivedAt = 0;
  #isFlushDue = false;
  #cancelTimer: () => void = () => undefined;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    // Whoever awaits the first session sees its failure; nobody else has to.
    this.#ready.promise.catch(() => undefined);
  }

  /** Resolves with the first open session; rejects when the connection ends before. */
  open(): Promise<void> {
    this.#connect();
    return this.#ready.promise;
  }

  /** Whether a waiting call more would not have to queue. */
  get hasRoomToWait(): boolean {
    return this.#book.hasRoomToWait;
  }

  /** Whether a waiting call more should leave its place soon. */
  get isCrowded(): boolean {
    return this.#book.isCrowded;
  }

  call<Result>(method: string, params: object, options: CallOptions = {}): Promise<Result> {
    return new Promise((resolve, reject) => {
      const refusal = this.#refusal();
      if (refusal) {
        reject(refusal);
        return;
      }
      const id = ++this.#lastId;
      this.#book.add({
        id,
        text: writeCall(id, method, params),
        isFirst: options.isFirst ?? false,
        isWaiting: options.isWaiting ?? false,
        settle: (result) => {
          options.onResult?.(result);
          // The wire is where types end: the table of methods says what a result is.
          resolve(result as Result);
        },
        fail: reject,
      });
      this.#flushSoon();
    });
  }

  close(error = new KantokuError("shutting-down", "the client was closed")): void {
    if (this.#state === "closed") return;
    this.#abandonSocket();
    this.#state = "closed";
    this.#book.failAll(error);
    this.#ready.reject(error);
    this.user?.closed();
  }

  #refusal(): KantokuError | undefined {
    if (this.#state === "closed") return new KantokuError("shutting-down", "the client was closed");
    if (this.#state === "open" || this.#book.size < waitingCallsMax) return undefined;
    return new KantokuError("busy", `${waitingCallsMax} calls wait for a connection`);
  }

  get #url(): string {
    return this.#parts.urls[this.#urlIndex % this.#parts.urls.length] ?? "";
  }

  #connect(): void {
    if (this.#state === "closed") return;
    this.#state = "connecting";
    const socket = new this.#parts.WebSocket(this.#url);
    this.#socket = socket;
    const guarded = <Happening>(act: (happening: Happening) => void) => {
      return (happening: Happening) => {
        if (this.#socket === socket) act(happening);
      };
    };
    socket.addEventListener(
      "open",
      guarded(() => this.#openSession(socket)),
    );
    socket.addEventListener(
      "message",
      guarded(({ data }: MessageEvent) => this.#receive(data)),
    );
    socket.addEventListener(
      "error",
      guarded(() => this.#lose()),
    );
    socket.addEventListener(
      "close",
      guarded(({ code }: CloseEvent) => this.#closedBy(code)),
    );
    this.#setTimer(handshakeMs, () => this.#lose(new Error(`no session in ${handshakeMs} ms`)));
  }

  #openSession(socket: WebSocket): void {
    this.#sessionCall = ++this.#lastId;
    socket.send(writeCall(this.#sessionCall, "session.open", this.#parts.session));
  }

  #receive(data: unknown): void {
    this.#receivedAt = this.#parts.clock.now();
    const socket = this.#socket;
    const messages = readFrame(data);
    if (!messages) {
      this.#lose();
      return;
    }
    for (const message of messages) {
      if (this.#socket !== socket) return;
      this.#take(message);
    }
    // Answers make room in the window for what waited.
    if (this.#book.hasUnsent) this.#flushSoon();
  }

  #take(message: Incoming): void {
    switch (message.kind) {
      case "result":
        this.#takeResult(message.id, message.result);
        return;
      case "error":
        this.#takeError(message.id, message.error);
        return;
      case "notification":
        if (message.method === "server.shutdown") this.#lose(new Error("the server shuts down"));
        else this.user?.notified(message.method, message.params);
        return;
      case "frame-refused":
        this.#lose();
        return;
      case "ignored":
        return;
      default:
        message satisfies never;
    }
  }

  #takeResult(id: number, result: unknown): void {
    if (id === this.#sessionCall) {
      this.#sessionOpened(result);
      return;
    }
    const call = this.#book.close(id);
    if (!call) return;
    this.#failures = 0;
    call.settle(result);
  }

  #takeError(id: number, error: KantokuError): void {
    if (id === this.#sessionCall) {
      if (error.retryable || error.code === "internal") this.#lose(error);
      else this.close(error);
      return;
    }
    // This server goes away; another, or the next one here, takes the same call.
    if (error.code === "shutting-down") {
      this.#lose();
      return;
    }
    const call = this.#book.close(id);
    if (!call) return;
    this.#failures = 0;
    call.fail(error);
  }

  #sessionOpened(result: unknown): void {
    if (this.#state !== "connecting") return;
    this.#state = "open";
    this.#book.windowMax = windowOf(result) ?? this.#book.windowMax;
    this.#setTimer(idleMs, () => this.#checkLife());
    this.user?.opened();
    this.#ready.resolve();
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#isFlushDue || this.#state !== "open") return;
    this.#isFlushDue = true;
    nextTick(() => {
      this.#isFlushDue = false;
      if (this.#state === "open") this.#flush();
    });
  }

  #flush(): void {
    const texts = this.#book.take().map(({ text }) => text);
    for (const frame of packFrames(texts)) this.#socket?.send(frame);
  }

  // A peer that vanished without a word leaves a socket that looks open for many minutes.
  #checkLife(): void {
    const silentMs = this.#parts.clock.now() - this.#receivedAt;
    if (silentMs < idleMs) {
      this.#setTimer(idleMs - silentMs, () => this.#checkLife());
      return;
    }
    // Its answer closes no call; that something came at all is what counts.
    this.#socket?.send(writeCall(++this.#lastId, "session.ping", {}));
    const pingedAt = this.#parts.clock.now();
    this.#setTimer(pongMs, () => {
      if (this.#receivedAt < pingedAt) this.#lose(new Error(`silent for ${idleMs + pongMs} ms`));
      else this.#checkLife();
    });
  }

  #closedBy(code: number): void {
    if (code === closeCodes.supersededWorker) this.user?.superseded();
    const refusal = refusals.get(code);
    const what = `the server closed the session (${code})`;
    if (refusal) this.close(new KantokuError(refusal, what));
    else this.#lose(new Error(what));
  }

  #lose(cause?: Error): void {
    if (this.#state === "closed" || this.#state === "resting") return;
    const loss = { url: this.#url, cause };
    const wasOpen = this.#state === "open";
    this.losses.set(loss.url, cause);
    this.#abandonSocket();
    this.#state = "resting";
    this.#book.unsendAll();
    this.#urlIndex += 1;
    this.#setTimer(restMs(this.#failures, this.#parts.random), () => this.#connect());
    this.#failures += 1;
    if (wasOpen) this.user?.lost(loss);
  }

  #abandonSocket(): void {
    this.#cancelTimer();
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #setTimer(ms: number, act: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#parts.clock.after(ms, act);
  }
}

const refusals = new Map<number, "unauthenticated" | "forbidden">([
  [closeCodes.unauthenticated, "unauthenticated"],
  [closeCodes.revoked, "forbidden"],
]);

function restMs(failures: number, random: () => number): number {
  const isQuick = failures < quickTries;
  const slower = isQuick ? 0 : failures - quickTries + 1;
  return backoffMs(Math.min(failures, quickFailuresMax) + slower, random);
}

function windowOf(opened: unknown): number | undefined {
  const limits = (opened as { limits?: { inFlightCallsMax?: unknown } } | null)?.limits;
  const max = limits?.inFlightCallsMax;
  return typeof max === "number" && max >= 10 ? max : undefined;
}
