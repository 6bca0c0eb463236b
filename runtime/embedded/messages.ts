import { randomBytes } from "node:crypto";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Where a keeper listens on loopback, and the secret that opens its door. */
export interface KeeperAddress {
  readonly pid: number;
  readonly port: number;
  readonly token: string;
}

/** What a user of the database says to its keeper. */
export type UserMessage =
  | { readonly kind: "hello"; readonly token: string; readonly graceMs: number }
  | { readonly kind: "leave" };

/** What the keeper says to a user of the database. */
export type KeeperMessage =
  | { readonly kind: "welcome" }
  | { readonly kind: "serving"; readonly url: string }
  | { readonly kind: "failed"; readonly message: string }
  /** Somebody wants the server to be gone: unlike a failure, nothing to be tried again. */
  | { readonly kind: "stopped"; readonly message: string }
  | { readonly kind: "goodbye" };

export function send(socket: Socket, message: UserMessage | KeeperMessage): void {
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
}

/** Hands on each line that is JSON; a peer that sends anything else is cut off. */
export function onMessage<Message>(socket: Socket, handle: (message: Message) => void): void {
  // A reset is the usual end of a killed peer; `close` follows it and says all there is to say.
  socket.on("error", () => {});
  const lines = createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on("error", () => {});
  lines.on("line", (line) => {
    const message = parse<Message>(line);
    if (message === undefined) socket.destroy();
    else handle(message);
  });
}

export function publishAddress(home: string, address: KeeperAddress): void {
  writeWhole(addressFile(home), JSON.stringify(address));
}

export function withdrawAddress(home: string): void {
  rmSync(addressFile(home), { force: true });
}

export function readAddress(home: string): KeeperAddress | undefined {
  try {
    return parse<KeeperAddress>(readFileSync(addressFile(home), "utf8"));
  } catch {
    return undefined;
  }
}

/** Replaces a private file so that no reader, and no crash, ever meets half of it. */
export function writeWhole(file: string, text: string): void {
  const draft = `${file}.${randomBytes(6).toString("hex")}`;
  writeFileSync(draft, text, { flag: "wx", mode: 0o600, flush: true });
  renameSync(draft, file);
}

function addressFile(home: string): string {
  return join(home, "keeper.json");
}

function parse<Message>(text: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Message) : undefined;
  } catch {
    return undefined;
  }
}
