import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { closeCodes } from "../../sdk/protocol/close-code.ts";
import { limits } from "../../sdk/protocol/limits.ts";
import type { Refusal } from "../http/door.ts";
import type { SocketWire } from "../socket-session.ts";

const subprotocol = "kantoku.v1";

/** What the gateway does with a socket. */
export interface SocketEnds {
  receive(bytes: Buffer): void;
  ponged(): void;
  drained(): void;
  gone(): void;
}

interface TransportOptions {
  /** The HTTP answer for an upgrade that is not wanted, or null. */
  readonly refuse: (request: IncomingMessage) => Refusal | null;
  readonly opened: (wire: SocketWire) => SocketEnds;
  readonly closeMs: number;
}

/** Takes over the upgrades of an HTTP server. The only file that knows the WebSocket library. */
export function serveWebSockets(
  server: Server,
  { refuse, opened, closeMs }: TransportOptions,
): void {
  // The library's own, though its types leave it out.
  const closing = { closeTimeout: closeMs };
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // The library's default is 100 MiB.
    maxPayload: limits.frameToServerBytesMax,
    // Floods of tiny fragments and chunks cost memory far beyond their bytes.
    maxFragments: 64,
    maxBufferedChunks: 1024,
    // A compressed frame of a kilobyte can stand for a gigabyte.
    perMessageDeflate: false,
    ...closing,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  });
  server.on("upgrade", (request: IncomingMessage, stream: Socket, head: Buffer) => {
    const ignoreReset = (): void => {};
    stream.on("error", ignoreReset);
    const refusal = refuse(request);
    if (refusal !== null) return refuseUpgrade(stream, refusal);
    sockets.handleUpgrade(request, stream, head, (socket) => {
      stream.off("error", ignoreReset);
      connect(socket, stream, opened);
    });
  });
}

function connect(
  socket: WebSocket,
  stream: Socket,
  opened: (wire: SocketWire) => SocketEnds,
): void {
  const ends = opened(new StreamWire(socket, stream));
  socket.on("message", (bytes: Buffer, isBinary: boolean) => {
    if (isBinary) socket.close(closeCodes.unsupportedData, "text frames only");
    else if (socket.readyState === WebSocket.OPEN) ends.receive(bytes);
  });
  socket.on("pong", () => ends.ponged());
  socket.on("close", () => ends.gone());
  // The library has closed with the right code by then; without a listener the process would end.
  socket.on("error", () => {});
  stream.on("drain", () => ends.drained());
}

class StreamWire implements SocketWire {
  readonly #socket: WebSocket;
  readonly #stream: Socket;

  constructor(socket: WebSocket, stream: Socket) {
    this.#socket = socket;
    this.#stream = stream;
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  get takenBytes(): number {
    return this.#stream.bytesWritten - this.#stream.writableLength;
  }

  send(text: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  cork(): void {
    this.#stream.cork();
  }

  uncork(): void {
    this.#stream.uncork();
  }

  ping(): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  terminate(): void {
    this.#socket.terminate();
  }
}

function refuseUpgrade(stream: Socket, { status, message }: Refusal): void {
  const body = `${message}\n`;
  const lines = [
    `HTTP/1.1 ${status} ${reasons[status] ?? "Refused"}`,
    "Connection: close",
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(status === 503 ? ["Retry-After: 5"] : []),
  ];
  stream.end(`${lines.join("\r\n")}\r\n\r\n${body}`, () => stream.destroy());
}

const reasons: Readonly<Record<number, string>> = {
  403: "Forbidden",
  404: "Not Found",
  503: "Service Unavailable",
};
