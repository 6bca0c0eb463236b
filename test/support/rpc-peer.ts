import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type RawData, type WebSocket, WebSocketServer } from "ws";

interface PeerCall {
  readonly id: number;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** Which socket it came over: 1 for the first. */
  readonly connection: number;
}

/** What a handler gives to leave its call unanswered. */
export const noReply = Symbol("no reply");

/** Thrown by a handler to answer with a JSON-RPC error. */
export class PeerError extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, data?: unknown) {
    super(`error ${code}`);
    this.code = code;
    this.data = data;
  }
}

type Handler = (call: PeerCall) => unknown;

/** A JSON-RPC server of which a test decides every answer, good or bad. */
export class RpcPeer implements AsyncDisposable {
  readonly calls: PeerCall[] = [];
  readonly frames: unknown[] = [];
  connectionCount = 0;
  readonly handlers: Record<string, Handler> = { "session.open": () => ({ session: "s" }) };
  readonly #server: WebSocketServer;
  readonly #watchers = new Set<() => void>();
  #socket: WebSocket | undefined;

  private constructor(server: WebSocketServer) {
    this.#server = server;
    server.on("connection", (socket) => this.#accept(socket));
  }

  static async start(handlers: Record<string, Handler> = {}): Promise<RpcPeer> {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, path: "/rpc" });
    await once(server, "listening");
    const peer = new RpcPeer(server);
    Object.assign(peer.handlers, handlers);
    return peer;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  of(method: string): readonly PeerCall[] {
    return this.calls.filter((call) => call.method === method);
  }

  /** The n-th call of a method, as soon as it has come. */
  async call(method: string, count = 1): Promise<PeerCall> {
    return await this.until(() => this.of(method)[count - 1]);
  }

  async until<Found>(look: () => Found | undefined | false): Promise<Found> {
    for (;;) {
      const found = look();
      if (found !== undefined && found !== false) return found;
      await new Promise<void>((resolve) => {
        const watcher = () => {
          this.#watchers.delete(watcher);
          resolve();
        };
        this.#watchers.add(watcher);
      });
    }
  }

  answer(call: PeerCall, result: unknown): void {
    this.send({ jsonrpc: "2.0", id: call.id, result });
  }

  notify(method: string, params: object): void {
    this.send({ jsonrpc: "2.0", method, params });
  }

  send(message: unknown): void {
    this.sendRaw(JSON.stringify(message));
  }

  sendRaw(frame: string | Buffer): void {
    this.#socket?.send(frame);
  }

  /** Ends the current socket as a crash would. */
  cut(): void {
    this.#socket?.terminate();
  }

  closeSocket(code: number): void {
    this.#socket?.close(code);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  #accept(socket: WebSocket): void {
    this.#socket = socket;
    this.connectionCount += 1;
    const connection = this.connectionCount;
    socket.on("message", (frame) => this.#receive(frame, { socket, connection }));
    this.#stir();
  }

  #receive(frame: RawData, from: { socket: WebSocket; connection: number }): void {
    const value: unknown = JSON.parse(String(frame));
    this.frames.push(value);
    for (const message of Array.isArray(value) ? value : [value]) {
      const call = { ...message, connection: from.connection };
      this.calls.push(call);
      const reply = this.#reply(call);
      if (reply) from.socket.send(JSON.stringify(reply));
    }
    this.#stir();
  }

  #reply(call: PeerCall): object | undefined {
    const { id, method } = call;
    try {
      const result = this.handlers[method]?.(call);
      return result === noReply ? undefined : { jsonrpc: "2.0", id, result: result ?? {} };
    } catch (thrown) {
      const { code, message, data } = thrown as PeerError;
      return { jsonrpc: "2.0", id, error: { code, message, data } };
    }
  }

  #stir(): void {
    for (const watcher of Array.from(this.#watchers)) watcher();
  }
}
