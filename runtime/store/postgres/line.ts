import net from "node:net";
import postgres from "postgres";
import { inSchema } from "./schema.ts";

export type Parameter = string | number | null;
/** Columns as text, numbers, booleans and instants (epoch milliseconds); JSON stays text. */
export type Row = Readonly<Record<string, unknown>>;

export interface Answer extends ReadonlyArray<Row> {
  /** The command's tag: a commit that did not commit says ROLLBACK. */
  readonly command: string;
  readonly count: number;
}

interface LineOptions {
  readonly url: string;
  readonly schema: string;
  /** Session settings, from the first statement on. */
  readonly settings: Readonly<Record<string, string>>;
  readonly onNotify?: (payload: string) => void;
  /**
   * Statements to make ready before the line is used. The first use of any other holds back what
   * is sent behind it until the server has described its parameters.
   */
  readonly prepared?: readonly string[];
  /**
   * A server that owes an answer and says nothing for so long counts as gone: a firewall that forgot
   * the connection tells nobody. Above the statement timeout. Absent: it may be silent for ever.
   */
  readonly silenceMsMax?: number;
  /** How many attempts failed before this one: of several hosts in the URL, the next is tried. */
  readonly attempt?: number;
}

/**
 * One connection for one life of its socket. Owns: everything that the driver does surprisingly
 * when a connection ends. Does not own: opening another one, see connection.ts.
 *
 * N1. What is sent is pipelined, in the order of the calls.
 * N2. A lost line stays lost. The driver's own pool would go on with the rest of a half-sent
 *     transaction on a fresh connection, where each statement commits by itself.
 * N3. Whatever was sent is answered or rejected; what the driver still queued would wait for ever.
 * N4. A line that fell out of step while it was made ready is lost. To an error at the end of a
 *     description, such as the timeout of a process that stood still there, the driver asks for
 *     that end once more: two answers come, and every later one would go to the statement behind.
 */
export interface Line {
  readonly isLost: boolean;
  /** How many statements have been sent and not answered. */
  readonly pending: number;
  /** Rejects with the server's error, or with `LineLost`. */
  send(text: string, parameters?: readonly Parameter[]): Promise<Answer>;
  whenLost(callback: () => void): void;
  /** Waits for what was sent, 5 s at most. */
  close(): Promise<void>;
}

/** The connection ended before the answer came: what was sent may or may not have happened. */
export class LineLost extends Error {
  override readonly name = "LineLost";
}

const connectTimeoutS = 10;
const closeTimeoutS = 5;
/** What arrived during a stall of this process is read before anything is given up. */
const lastLookMs = 1_000;
/** Beyond it the driver would wait for the socket to drain before it sends the next statement. */
const unsentBytesMax = 64 * 1024 * 1024;

/** Rejects when the database cannot be reached, or refuses the session. */
export async function openLine(options: LineOptions): Promise<Line> {
  const { schema } = options;
  const pending = new Set<(reason: LineLost) => void>();
  const callbacks: (() => void)[] = [];
  let isLost = false;
  let hasSocket = false;
  let socket: net.Socket | null = null;
  const { silenceMsMax } = options;
  let watch: NodeJS.Timeout | null = null;

  /** Something was sent into the quiet, or something was answered. */
  function heard(): void {
    if (silenceMsMax === undefined || isLost) return;
    if (watch !== null) clearTimeout(watch);
    watch = pending.size === 0 ? null : setTimeout(lookOnceMore, silenceMsMax);
  }

  function lookOnceMore(): void {
    watch = setTimeout(() => {
      lose();
      socket?.destroy();
    }, lastLookMs);
  }

  function openSocket(target: { host: string[]; port: number[]; path?: string | false }) {
    if (hasSocket) throw new LineLost("the connection was lost");
    hasSocket = true;
    const { path } = target;
    const index = (options.attempt ?? 0) % target.host.length;
    const host = target.host[index] ?? "127.0.0.1";
    const socketOptions = { allowHalfOpen: false, writableHighWaterMark: unsentBytesMax };
    socket = new net.Socket(socketOptions);
    // Nagle's delay would hold back the tail of a pipelined batch until the server has answered.
    socket.setNoDelay(true);
    if (path) return socket.connect(path);
    // The driver names the host to TLS from here.
    return Object.assign(socket.connect(target.port[index] ?? 5432, host), { host });
  }

  function lose(): void {
    if (isLost) return;
    isLost = true;
    if (watch !== null) clearTimeout(watch);
    for (const reject of pending) reject(new LineLost("the connection was lost"));
    pending.clear();
    for (const callback of callbacks) callback();
    void driver.end({ timeout: 0 });
  }

  const driverOptions = {
    max: 1,
    idle_timeout: 0,
    max_lifetime: null,
    connect_timeout: connectTimeoutS,
    fetch_types: false,
    types: asStored,
    connection: { TimeZone: "UTC", DateStyle: "ISO", ...options.settings },
    onnotice: ignore,
    onclose: lose,
    onnotify: (_channel: string, payload: string) => options.onNotify?.(payload),
    socket: openSocket,
  };
  const driver = postgres(options.url, driverOptions);
  const end = () => driver.end({ timeout: closeTimeoutS });

  function send(text: string, parameters: readonly Parameter[] = []): Promise<Answer> {
    if (isLost) return Promise.reject(new LineLost("the connection was lost"));
    return new Promise((resolve, reject) => {
      pending.add(reject);
      if (pending.size === 1) heard();
      const isPrepared = parameters.length > 0;
      driver.unsafe(inSchema(text, schema), [...parameters], { prepare: isPrepared }).then(
        (answer) => {
          pending.delete(reject);
          heard();
          resolve(answer as unknown as Answer);
        },
        (error: unknown) => {
          pending.delete(reject);
          heard();
          reject(
            isOfServer(error) ? error : new LineLost("the connection was lost", { cause: error }),
          );
        },
      );
    });
  }

  async function prepare(text: string): Promise<void> {
    const renamed = inSchema(text, schema);
    await driver.unsafe(renamed, unknownParameters(text), { prepare: true }).describe();
  }

  /** N4. */
  async function assertInStep(): Promise<void> {
    const [row] = await send("select 'in step' as answer");
    if (row?.["answer"] === "in step") return;
    lose();
    throw new LineLost("the connection fell out of step");
  }

  try {
    await send("select 1");
    await Promise.all((options.prepared ?? []).map(prepare));
    await assertInStep();
  } catch (error) {
    void end();
    throw error;
  }
  return {
    get isLost() {
      return isLost;
    },
    get pending() {
      return pending.size;
    },
    send,
    whenLost: (callback) => void (isLost ? callback() : callbacks.push(callback)),
    close: end,
  };
}

/** The driver tells prepared statements apart by the types it guesses, too. */
function unknownParameters(text: string): null[] {
  const numbers = [...text.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number));
  return Array(Math.max(0, ...numbers)).fill(null);
}

/** JSON stays as it was written: parsing and printing it again would change its numbers. */
const asStored = {
  json: { to: 114, from: [114, 3802], serialize: String, parse: String },
  instant: { to: 1184, from: [1184], serialize: String, parse: Date.parse },
  bigint: { to: 20, from: [20], serialize: String, parse: Number },
};

export interface ServerError extends Error {
  readonly code: string;
  readonly constraint_name?: string;
}

export function isOfServer(error: unknown): error is ServerError {
  return error instanceof postgres.PostgresError;
}

function ignore(): void {}
