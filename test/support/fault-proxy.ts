import { once } from "node:events";
import { createServer, connect as dial, type Server, type Socket } from "node:net";

export interface FaultProxy {
  /** The database's URL by way of this proxy. */
  readonly url: string;
  /**
   * Cuts the connection on which the next commit is asked for: when the database has it, and before
   * its answer has come back.
   */
  cutNextCommit(): void;
  /** Cuts the next connections on which a statement with this text is sent, before the database has it. */
  cutNextStatement(text: string, times?: number): void;
  readonly cuts: number;
  /** Ends every connection and takes no more, as a database does that went away. */
  vanish(): Promise<void>;
  /** Takes connections again, on the same port. */
  reappear(): Promise<void>;
  close(): Promise<void>;
}

export async function openFaultProxy(databaseUrl: string): Promise<FaultProxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let isArmed = false;
  let unwanted = { text: "", times: 0 };
  let cuts = 0;
  let server = createServer(relay);
  const port = await listen(server, 0);

  function relay(client: Socket): void {
    const upstream = dial(Number(target.port), target.hostname);
    const read = createReader();
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
      const { statements, isCommitAsked } = read(chunk);
      if (unwanted.times > 0 && statements.some((it) => it.includes(unwanted.text))) {
        unwanted = { ...unwanted, times: unwanted.times - 1 };
        cuts += 1;
        client.destroy();
        return;
      }
      upstream.write(chunk);
      if (!isCommitAsked || !isArmed) return;
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
    cutNextStatement: (text, times = 1) => {
      unwanted = { text, times };
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

interface Reading {
  /** The texts that end in this chunk; of a prepared statement, the first time it is sent. */
  readonly statements: readonly string[];
  readonly isCommitAsked: boolean;
}

/**
 * Reads what a client says, and tells of each chunk whether with it the database is asked to commit:
 * by the word, or, on a lane, by a statement outside of any transaction.
 */
function createReader(): (chunk: Buffer) => Reading {
  let unread: Buffer = Buffer.alloc(0);
  let isLane: boolean | null = null;
  let isInTransaction = false;
  let hasExecuted = false;

  function read(type: string, body: string): boolean {
    if (type === "Q") {
      const isCommit = body === "commit\0";
      isInTransaction = !isCommit && (isInTransaction || body.startsWith("begin"));
      return isCommit;
    }
    const isCommit = type === "S" && hasExecuted && !isInTransaction && isLane === true;
    hasExecuted = type === "E" || (hasExecuted && type !== "S");
    return isCommit;
  }

  return (chunk) => {
    unread = Buffer.concat([unread, chunk]);
    const statements: string[] = [];
    let isCommitAsked = false;
    for (;;) {
      // The first message has no type before its length.
      const start = isLane === null ? 0 : 1;
      if (unread.length < start + 4) break;
      const end = start + unread.readUInt32BE(start);
      if (unread.length < end) break;
      const body = unread.toString("latin1", start + 4, end);
      const type = start === 0 ? "" : unread.toString("latin1", 0, 1);
      if (isLane === null) isLane = body.includes("kantoku lane");
      else if (read(type, body)) isCommitAsked = true;
      if (type === "Q" || type === "P") statements.push(body);
      unread = unread.subarray(end);
    }
    return { statements, isCommitAsked };
  };
}
