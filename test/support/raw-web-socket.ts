import { once } from "node:events";
import { createConnection, type Socket } from "node:net";

export const opcodes = {
  continuation: 0,
  text: 1,
  binary: 2,
  close: 8,
  ping: 9,
  pong: 10,
} as const;

interface FrameShape {
  readonly opcode?: number;
  readonly isLast?: boolean;
  readonly isMasked?: boolean;
  /** The three reserved bits, of which no extension of ours gives one a meaning. */
  readonly reserved?: number;
  /** The length that the header claims, whatever the payload's is. */
  readonly claimedLength?: bigint;
}

/** A WebSocket frame, right or wrong, as bytes. */
export function frame(payload: string | Uint8Array, shape: FrameShape = {}): Buffer {
  const { opcode = opcodes.text, isLast = true, isMasked = true, reserved = 0 } = shape;
  const body = Buffer.from(payload);
  const length = shape.claimedLength ?? BigInt(body.length);
  const first = (isLast ? 0x80 : 0) | (reserved << 4) | opcode;
  const maskBit = isMasked ? 0x80 : 0;
  const extended = Buffer.alloc(length < 126n ? 0 : length < 65_536n ? 2 : 8);
  if (extended.length === 2) extended.writeUInt16BE(Number(length));
  if (extended.length === 8) extended.writeBigUInt64BE(length);
  const short = extended.length === 0 ? Number(length) : extended.length === 2 ? 126 : 127;
  // A mask of zeros is legal and leaves the payload readable.
  const mask = Buffer.alloc(isMasked ? 4 : 0);
  return Buffer.concat([Buffer.of(first, maskBit | short), extended, mask, body]);
}

/** A peer that writes bytes, for everything that a WebSocket library would not let a test send. */
export class RawWebSocket implements AsyncDisposable {
  readonly stream: Socket;
  #chunks: Buffer[] = [];
  #isEnded = false;
  #changed = Promise.withResolvers<void>();

  private constructor(stream: Socket) {
    this.stream = stream;
    stream.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#notice();
    });
    stream.on("error", () => {});
    stream.on("close", () => {
      this.#isEnded = true;
      this.#notice();
    });
  }

  static async connect(port: number): Promise<RawWebSocket> {
    const stream = createConnection({ host: "127.0.0.1", port });
    await once(stream, "connect");
    return new RawWebSocket(stream);
  }

  static async open(port: number): Promise<RawWebSocket> {
    const raw = await RawWebSocket.connect(port);
    raw.stream.write(upgrade({ Host: `127.0.0.1:${port}` }));
    await raw.until(() => raw.text.includes("\r\n\r\n"));
    raw.#skip(raw.text.indexOf("\r\n\r\n") + 4);
    return raw;
  }

  get text(): string {
    return this.#whole().toString("latin1");
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  send(payload: string | Uint8Array, shape: FrameShape = {}): void {
    this.stream.write(frame(payload, shape));
  }

  async until(isDone: () => boolean): Promise<void> {
    while (!isDone()) {
      if (this.#isEnded) throw new Error(`the connection ended after: ${this.text.slice(0, 300)}`);
      await this.#changed.promise;
    }
  }

  /** The next whole frame. */
  async next(): Promise<{ readonly opcode: number; readonly payload: Buffer }> {
    await this.until(() => this.#peek() !== null);
    const found = this.#peek();
    if (found === null) throw new Error("no frame");
    this.#skip(found.end);
    return { opcode: found.opcode, payload: found.payload };
  }

  /** The code of the close frame that comes next, pings aside. */
  async closeCode(): Promise<number> {
    for (;;) {
      const { opcode, payload } = await this.next();
      if (opcode === opcodes.close) return payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      if (opcode !== opcodes.ping) throw new Error(`unexpected frame: ${payload.toString()}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isEnded) return;
    this.stream.destroy();
    await once(this.stream, "close");
  }

  #notice(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #whole(): Buffer {
    const whole = this.#chunks.length === 1 ? this.#chunks[0] : undefined;
    if (whole !== undefined) return whole;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }

  #skip(length: number): void {
    this.#chunks = [this.#whole().subarray(length)];
  }

  #peek(): { opcode: number; payload: Buffer; end: number } | null {
    const bytes = this.#whole();
    const [first = 0, second = 0] = bytes;
    const short = second & 0x7f;
    const headerLength = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (bytes.length < headerLength) return null;
    const length =
      short < 126
        ? short
        : short === 126
          ? bytes.readUInt16BE(2)
          : Number(bytes.readBigUInt64BE(2));
    const end = headerLength + length;
    if (bytes.length < end) return null;
    return { opcode: first & 0x0f, payload: bytes.subarray(headerLength, end), end };
  }
}

/** A request to become a WebSocket; a header given as null is left out. */
export function upgrade(headers: Record<string, string | null> = {}, path = "/rpc"): string {
  const all: Record<string, string | null> = {
    Host: "127.0.0.1",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    ...headers,
  };
  const lines = Object.entries(all)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}
