import { timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { createServer } from "node:net";
import type { KeeperMessage, UserMessage } from "./messages.ts";
import { onMessage, send } from "./messages.ts";

/** A keeper whose starter died before it could knock is not to wait for ever. */
const firstArrivalMs = 10_000;

/**
 * The users of one database, each present as long as its connection stands: the kernel closes
 * that of a killed process, which no pid file would tell.
 */
export class Users {
  readonly #token: Buffer;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #present = new Map<Socket, { readonly graceMs: number }>();
  readonly #leaving = new Set<Socket>();
  readonly #arrival = Promise.withResolvers<void>();
  readonly #holdUntil: number;
  #vacancy = Promise.withResolvers<void>();
  #grace: NodeJS.Timeout | undefined;
  #answer: KeeperMessage | undefined;

  /** For `holdMs` from now on the last user's leaving is no reason to stop. */
  constructor(token: string, holdMs: number) {
    this.#token = Buffer.from(token);
    this.#holdUntil = performance.now() + holdMs;
    this.#server = createServer((socket) => this.#meet(socket));
  }

  /** Resolves with the port on loopback. */
  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.#vacateIn(firstArrivalMs);
    const address = this.#server.address();
    if (typeof address === "object" && address !== null) return address.port;
    throw new Error("the keeper has no port");
  }

  get count(): number {
    return this.#present.size;
  }

  /** Resolves when the first user has come. */
  get arrival(): Promise<void> {
    return this.#arrival.promise;
  }

  /** Tells every user, those to come included, until `withdraw`. */
  announce(answer: KeeperMessage): void {
    this.#answer = answer;
    for (const socket of this.#present.keys()) send(socket, answer);
  }

  withdraw(): void {
    this.#answer = undefined;
  }

  /** Resolves when the last user has left, or has been dead for its grace. */
  get vacancy(): Promise<void> {
    return this.#vacancy.promise;
  }

  /** Begins a new stay for those who came after the last vacancy. */
  reopen(): void {
    this.#vacancy = Promise.withResolvers<void>();
  }

  /** Turns all present out, with the reason; they are let go by `dismiss`. */
  expel(reason: Extract<KeeperMessage, { kind: "failed" | "stopped" }>): void {
    for (const socket of this.#present.keys()) {
      send(socket, reason);
      this.#leaving.add(socket);
    }
    this.#present.clear();
  }

  vacateNow(): void {
    clearTimeout(this.#grace);
    this.#vacancy.resolve();
  }

  /** Lets those go who left as the last: the server has stopped, or somebody else has come. */
  async dismiss(): Promise<void> {
    const dismissals = [...this.#leaving].map((socket) => this.#part(socket));
    this.#leaving.clear();
    await Promise.all(dismissals);
  }

  /** Newcomers find the door closed from here on and start a keeper of their own. */
  close(): void {
    clearTimeout(this.#grace);
    this.#server.close();
    for (const socket of this.#sockets) {
      if (!this.#leaving.has(socket)) socket.destroy();
    }
  }

  #meet(socket: Socket): void {
    this.#sockets.add(socket);
    onMessage<UserMessage>(socket, (message) => this.#hear(socket, message));
    socket.on("close", () => this.#lose(socket));
  }

  #hear(socket: Socket, message: UserMessage): void {
    if (message.kind === "hello" && this.#isToken(message.token)) {
      this.#admit(socket, Number(message.graceMs));
    } else if (message.kind === "leave" && this.#present.delete(socket)) {
      this.#release(socket);
    } else {
      socket.destroy();
    }
  }

  #isToken(token: unknown): boolean {
    const offered = Buffer.from(String(token));
    return offered.length === this.#token.length && timingSafeEqual(offered, this.#token);
  }

  #admit(socket: Socket, graceMs: number): void {
    clearTimeout(this.#grace);
    this.#present.set(socket, { graceMs });
    this.#arrival.resolve();
    send(socket, { kind: "welcome" });
    void this.dismiss();
    if (this.#answer !== undefined) send(socket, this.#answer);
  }

  #release(socket: Socket): void {
    if (this.#present.size > 0) {
      void this.#part(socket);
      return;
    }
    this.#leaving.add(socket);
    this.#vacateIn(0);
  }

  #lose(socket: Socket): void {
    this.#sockets.delete(socket);
    this.#leaving.delete(socket);
    const user = this.#present.get(socket);
    if (user === undefined) return;
    this.#present.delete(socket);
    if (this.#present.size === 0) this.#vacateIn(user.graceMs);
  }

  #vacateIn(delayMs: number): void {
    clearTimeout(this.#grace);
    const heldMs = this.#holdUntil - performance.now();
    this.#grace = setTimeout(() => this.#vacancy.resolve(), Math.max(delayMs, heldMs));
  }

  #part(socket: Socket): Promise<void> {
    send(socket, { kind: "goodbye" });
    return new Promise((resolve) => {
      socket.once("close", () => resolve());
      socket.end(() => resolve());
    });
  }
}
