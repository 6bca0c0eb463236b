import { once } from "node:events";
import { type ClientOptions, WebSocket } from "ws";

export interface Heard {
  readonly id?: string | number | null;
  readonly result?: Record<string, unknown>;
  readonly error?: { code: number; message: string; data: Record<string, unknown> };
  readonly method?: string;
  readonly params?: Record<string, unknown>;
}

interface Waiter {
  readonly isDone: (frames: readonly string[]) => boolean;
  readonly resolve: () => void;
  readonly reject: (failure: Error) => void;
}

/** A peer for tests: keeps every frame that came, and waits for what is to come. */
export class RpcSocket {
  readonly frames: string[] = [];
  /** Every message that came, arrays taken apart. */
  readonly messages: Heard[] = [];
  readonly socket: WebSocket;
  #closed: { readonly code: number; readonly reason: string } | null = null;
  #waiters: Waiter[] = [];
  #nextId = 1;

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(url, options);
    this.socket.on("message", (bytes: Buffer) => {
      const text = bytes.toString();
      this.frames.push(text);
      this.messages.push(...[JSON.parse(text) as Heard | Heard[]].flat());
      this.#look();
    });
    this.socket.on("close", (code, reason) => {
      this.#closed = { code, reason: reason.toString() };
      this.#look();
      for (const { reject } of this.#waiters) reject(new Error(`socket closed with ${code}`));
    });
    this.socket.on("error", () => {});
  }

  static async open(url: string, options: ClientOptions = {}): Promise<RpcSocket> {
    const peer = new RpcSocket(url, options);
    await once(peer.socket, "open");
    return peer;
  }

  send(value: unknown): void {
    this.socket.send(typeof value === "string" ? value : JSON.stringify(value));
  }

  notify(method: string, params: unknown): void {
    this.send({ jsonrpc: "2.0", method, params });
  }

  /** The whole reply, error or not. */
  async ask(method: string, params?: unknown): Promise<Heard> {
    const id = `call-${this.#nextId}`;
    this.#nextId += 1;
    this.send({ jsonrpc: "2.0", id, method, params });
    return this.message((heard) => heard.id === id && heard.method === undefined);
  }

  async call(method: string, params?: unknown): Promise<Record<string, unknown>> {
    const { result, error } = await this.ask(method, params);
    if (error !== undefined) throw new Error(`${error.code} ${error.message}`);
    return result ?? {};
  }

  async message(isIt: (heard: Heard) => boolean): Promise<Heard> {
    await this.until(() => this.messages.some(isIt));
    return this.messages.find(isIt) as Heard;
  }

  async notification(method: string): Promise<Record<string, unknown>> {
    return (await this.message((heard) => heard.method === method)).params ?? {};
  }

  until(isDone: (frames: readonly string[]) => boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiters.push({ isDone, resolve, reject });
    this.#look();
    return promise;
  }

  async closed(): Promise<{ readonly code: number; readonly reason: string }> {
    if (this.#closed === null) await once(this.socket, "close");
    return this.#closed ?? { code: 0, reason: "" };
  }

  async close(): Promise<void> {
    if (this.#closed !== null) return;
    this.socket.terminate();
    await this.closed();
  }

  #look(): void {
    this.#waiters = this.#waiters.filter(({ isDone, resolve }) => {
      if (!isDone(this.frames)) return true;
      resolve();
      return false;
    });
  }
}
