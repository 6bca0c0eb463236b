import { once } from "node:events";
import { createServer, connect as dial, type Server, type Socket } from "node:net";

export interface FaultProxy {
  /** The database's URL by way of this proxy. */
  readonly url: string;
  /**
   * Cuts the connection that sends the next `commit`: when the database has it, and before its
   * answer has come back.
   */
  cutNextCommit(): void;
  readonly cuts: number;
  /** Ends every connection and takes no more, as a database does that went away. */
  vanish(): Promise<void>;
  /** Takes connections again, on the same port. */
  reappear(): Promise<void>;
  close(): Promise<void>;
}

/** A simple query of the word `commit`, as the protocol frames it. */
const commitMessage = Buffer.from("Q\0\0\0\x0bcommit\0", "latin1");

export async function openFaultProxy(databaseUrl: string): Promise<FaultProxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let isArmed = false;
  let cuts = 0;
  let server = createServer(relay);
  const port = await listen(server, 0);

  function relay(client: Socket): void {
    const upstream = dial(Number(target.port), target.hostname);
    let tail: Buffer = Buffer.alloc(0);
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
    }
    upstream.on("data", (chunk) => client.write(chunk));
    upstream.on("close", () => client.destroy());
    client.on("close", () => upstream.end());
    client.on("data", (chunk: Buffer) => {
      upstream.write(chunk);
      const seen = Buffer.concat([tail, chunk]);
      tail = seen.subarray(-(commitMessage.length - 1));
      if (!isArmed || !seen.includes(commitMessage)) return;
      isArmed = false;
      cuts += 1;
      // A reset of the upstream could take the commit back; its orderly end cannot.
      upstream.removeAllListeners("data");
      upstream.resume();
      client.destroy();
    });
  }

  async function vanish(): Promise<void> {
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  const url = new URL(databaseUrl);
  url.hostname = "127.0.0.1";
  url.port = String(port);
  return {
    url: url.href,
    cutNextCommit: () => {
      isArmed = true;
    },
    get cuts() {
      return cuts;
    },
    vanish,
    async reappear() {
      server = createServer(relay);
      await listen(server, port);
    },
    async close() {
      if (server.listening) await vanish();
    },
  };
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}
