import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "./clock.ts";
import type { ReadLines } from "./read-lines.ts";
import { type House, Session } from "./session.ts";
import { SocketSession, type SocketWire } from "./socket-session.ts";
import type { SocketEnds } from "./transport/ws.ts";

const beatMs = 1000;
/** A beat that comes this late means that this process stood still, and that nothing was read. */
const stallMs = 3000;
/** Reconnecting clients spread over this time, or they all come at once. */
const reconnectSpreadMs = 5000;
/** Pipelined: sent one after the other without waiting for an answer. */
const postsPerConnectionMax = 100;

/** What the POSTs of one connection share. */
interface Poster {
  openCount: number;
  readonly lines: ReadLines;
}

/** Everybody who is connected: the beat that watches them, and their shared end. */
export class Peers {
  readonly #house: House;
  readonly #sockets = new Set<SocketSession>();
  readonly #posts = new Set<Session>();
  readonly #posters = new WeakMap<Socket, Poster>();
  readonly #stopBeating: () => void;
  #beatAt: number;
  #isDraining = false;
  #changed = Promise.withResolvers<void>();

  constructor(house: House) {
    this.#house = house;
    this.#beatAt = house.clock.monotonic();
    this.#stopBeating = house.clock.every(beatMs, () => this.#beat(house.clock));
  }

  get socketCount(): number {
    return this.#sockets.size;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  openSocket(wire: SocketWire): SocketEnds {
    const socket = new SocketSession(wire, this.#house);
    this.#sockets.add(socket);
    return {
      receive: (bytes) => socket.receive(bytes),
      ponged: () => socket.ponged(),
      drained: () => socket.drained(),
      gone: () => {
        this.#sockets.delete(socket);
        socket.gone();
        this.#notice();
      },
    };
  }

  /** Null: this connection has sent too many without waiting for an answer. */
  openPost(response: ServerResponse): Session | null {
    // A pipelined answer has no socket of its own until its turn comes: its request has.
    const { socket } = response.req;
    const poster = this.#posterOf(socket);
    if (poster.openCount >= postsPerConnectionMax) return null;
    poster.openCount += 1;
    const session = new Session(this.#house, { push: null, lines: poster.lines });
    if (this.#isDraining) session.calls.drain();
    this.#posts.add(session);
    // And one whose turn never comes is not told that its connection closed.
    const close = () => {
      socket.off("close", close);
      if (!this.#posts.delete(session)) return;
      poster.openCount -= 1;
      session.leave();
      this.#notice();
    };
    socket.setMaxListeners(socket.getMaxListeners() + 1);
    socket.on("close", close);
    response.on("close", close);
    return session;
  }

  /** Lets what runs finish for `drainMs`, answers the rest, and says goodbye. */
  async end(): Promise<void> {
    const { clock, bounds, entropy } = this.#house;
    this.#isDraining = true;
    for (const socket of this.#sockets) {
      socket.drain(Math.floor(entropy.random() * reconnectSpreadMs));
    }
    for (const post of this.#posts) post.calls.drain();
    const drainedBy = clock.monotonic() + bounds.drainMs;
    await Promise.race([this.#idle(), this.#until(() => clock.monotonic() >= drainedBy)]);
    for (const post of this.#posts) post.calls.endAll();
    for (const socket of this.#sockets) socket.restart();
    const closedBy = clock.monotonic() + bounds.closeMs;
    await this.#until(() => this.#isEmpty() || clock.monotonic() >= closedBy);
    for (const socket of this.#sockets) socket.terminate();
    this.#stopBeating();
  }

  async #idle(): Promise<void> {
    const sessions = [...this.#posts, ...[...this.#sockets].map(({ session }) => session)];
    await Promise.all(sessions.map(({ calls }) => calls.idle()));
  }

  #posterOf(socket: Socket): Poster {
    const known = this.#posters.get(socket);
    if (known !== undefined) return known;
    const poster = { openCount: 0, lines: this.#house.openLines() };
    this.#posters.set(socket, poster);
    return poster;
  }

  #isEmpty(): boolean {
    return this.#sockets.size === 0 && this.#posts.size === 0;
  }

  async #until(isDone: () => boolean): Promise<void> {
    while (!isDone()) await this.#changed.promise;
  }

  #notice(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #beat(clock: Clock): void {
    const now = clock.monotonic();
    const isLate = now - this.#beatAt > stallMs;
    this.#beatAt = now;
    this.#notice();
    // Pongs and requests may lie unread in the sockets: judge nobody before they were read.
    if (isLate) return;
    for (const socket of this.#sockets) socket.beat(now);
    for (const post of this.#posts) post.calls.endOverdue(now);
  }
}
