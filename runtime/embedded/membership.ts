import type { Socket } from "node:net";
import { connect } from "node:net";
import type { KeeperAddress, KeeperMessage } from "./messages.ts";
import { onMessage, send } from "./messages.ts";

/** A stale address may be anybody's port by now, and a frozen keeper says nothing. */
const welcomeTimeoutMs = 2_000;

/** `lost`: the keeper went without a word; `failed`: it could not have the server run. */
type MembershipEnd = "left" | "lost" | "failed" | "stopped";

/** One user's standing with a keeper: it lasts as long as its connection does. */
export class Membership {
  readonly #socket: Socket;
  readonly #welcome = Promise.withResolvers<boolean>();
  readonly #url = Promise.withResolvers<string | undefined>();
  readonly #end = Promise.withResolvers<MembershipEnd>();
  #outcome: MembershipEnd = "lost";
  #failure: Error | undefined;

  constructor(address: KeeperAddress, graceMs: number) {
    this.#socket = connect({ port: address.port, host: "127.0.0.1" });
    this.#url.promise.catch(() => {});
    onMessage<KeeperMessage>(this.#socket, (message) => this.#hear(message));
    this.#socket.on("close", () => this.#close());
    send(this.#socket, { kind: "hello", token: address.token, graceMs });
  }

  /** Whether a keeper opened the door at all. */
  async isWelcome(): Promise<boolean> {
    const timeout = setTimeout(() => this.#socket.destroy(), welcomeTimeoutMs);
    const isWelcome = await this.#welcome.promise;
    clearTimeout(timeout);
    return isWelcome;
  }

  /** The server's URL once it takes connections; undefined when the keeper is gone instead. */
  get url(): Promise<string | undefined> {
    return this.#url.promise;
  }

  get end(): Promise<MembershipEnd> {
    return this.#end.promise;
  }

  /** Why the keeper turned its users out. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** From here on it keeps no process from ending by itself. */
  unref(): void {
    this.#socket.unref();
  }

  /** Resolves when the keeper has let go: for the last user, when the server has stopped. */
  async leave(): Promise<MembershipEnd> {
    this.#socket.ref();
    send(this.#socket, { kind: "leave" });
    return this.#end.promise;
  }

  #hear(message: KeeperMessage): void {
    if (message.kind === "welcome") this.#welcome.resolve(true);
    if (message.kind === "serving") this.#url.resolve(message.url);
    if (message.kind === "goodbye" && this.#failure === undefined) this.#outcome = "left";
    if (message.kind === "failed" || message.kind === "stopped") {
      this.#outcome = message.kind;
      this.#failure = new Error(message.message);
    }
  }

  #close(): void {
    this.#welcome.resolve(false);
    // Only now has a keeper that failed given the folder free, and another try a chance.
    if (this.#failure === undefined) this.#url.resolve(undefined);
    else this.#url.reject(this.#failure);
    this.#end.resolve(this.#outcome);
  }
}
