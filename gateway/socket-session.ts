import { closeCodes } from "../sdk/protocol/close-code.ts";
import { type Exchange, receiveFrame } from "./exchange.ts";
import { Outbox, type Wire } from "./outbox.ts";
import { Push } from "./push.ts";
import { type House, Session } from "./session.ts";
import { notification } from "./wire/notification.ts";
import { errorReply, type Reply } from "./wire/reply.ts";

/** A WebSocket, as the gateway needs it. */
export interface SocketWire extends Wire {
  ping(): void;
  close(code: number, reason: string): void;
  terminate(): void;
}

/** Answers longer than this are worth replacing when a reader is far behind. */
const longAnswerLength = 64 * 1024;

/** One socket's life. */
export class SocketSession {
  readonly session: Session;
  readonly #wire: SocketWire;
  readonly #house: House;
  readonly #outbox: Outbox;
  readonly #push: Push;
  readonly #exchange: Exchange<Session>;
  #pingedAt: number;
  #closingAt: number | null = null;
  #isAlive = true;

  constructor(wire: SocketWire, house: House) {
    this.#wire = wire;
    this.#house = house;
    this.#outbox = new Outbox(wire, { bounds: house.bounds, onOverflow: () => this.#dropReader() });
    this.#push = new Push(this.#outbox, house.bounds);
    this.session = new Session(house, { push: this.#push, lines: house.openLines() });
    this.#pingedAt = house.clock.monotonic();
    this.#exchange = this.#createExchange();
  }

  receive(bytes: Buffer): void {
    this.#isAlive = true;
    if (this.#closingAt === null) receiveFrame(bytes, this.#exchange);
  }

  ponged(): void {
    this.#isAlive = true;
  }

  drained(): void {
    this.#outbox.drained();
  }

  gone(): void {
    this.#push.close();
    this.session.leave();
  }

  beat(now: number): void {
    if (this.#closingAt !== null) {
      if (now - this.#closingAt >= this.#house.bounds.closeMs) this.#wire.terminate();
      return;
    }
    this.session.calls.endOverdue(now);
    if (this.#outbox.isStuck(now)) this.#dropReader();
    else if (now - this.#pingedAt >= this.#house.bounds.pingMs) this.#ping(now);
  }

  drain(reconnectMs: number): void {
    this.#outbox.send(notification("server.shutdown", { reconnectMs }));
    this.session.calls.drain();
  }

  /** Answers what is still open, ends the subscriptions with their cursors, and closes. */
  restart(): void {
    this.session.calls.endAll();
    this.#push.subscriptions.endAll();
    this.#outbox.flush();
    this.close("serviceRestart", "the server is shutting down");
  }

  close(why: keyof typeof closeCodes, reason: string): void {
    if (this.#closingAt !== null) return;
    this.#closingAt = this.#house.clock.monotonic();
    this.#push.close();
    // Nothing is sent behind a close frame, and a peer that does not read may not answer it.
    this.session.leave();
    this.#wire.close(closeCodes[why], reason);
  }

  terminate(): void {
    this.#wire.terminate();
  }

  #ping(now: number): void {
    // Half-open: the other end vanished without a word, and its slots must not wait for TCP.
    if (!this.#isAlive) {
      this.#wire.terminate();
      return;
    }
    this.#isAlive = false;
    this.#pingedAt = now;
    this.#wire.ping();
  }

  #dropReader(): void {
    const { log } = this.#house;
    log.warn("a reader does not read", {
      session: this.session.id,
      waiting: this.#outbox.waitingLength,
    });
    this.close("slowReader", "messages were not read in time");
  }

  #createExchange(): Exchange<Session> {
    return {
      session: this.session,
      calls: this.session.calls,
      answerBytesMax: this.#house.bounds.answerBytesMax,
      isBatching: () => this.#outbox.isBatching,
      send: (text, reply) => this.#answer(text, reply),
      silent: () => {},
      unwritable: (failure) => this.session.reportUnwritable(failure),
    };
  }

  #answer(text: string, reply: Reply | null): void {
    if (text.length < longAnswerLength || reply === null || this.#outbox.hasRoomFor(text)) {
      this.#outbox.send(text);
      return;
    }
    const message = "Earlier answers have not been read yet";
    const busy = errorReply(reply.id, "busy", { message, data: { retryAfterMs: 1000 } });
    this.#outbox.send(JSON.stringify(busy));
  }
}
