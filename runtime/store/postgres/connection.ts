import { StoreError } from "../store.ts";
import { type Answer, isOfServer, type Line, LineLost, openLine, type Parameter } from "./line.ts";
import { storeErrorOf } from "./sql-state.ts";

/** A line that is replaced when it was lost. */
export interface Connection {
  readonly pending: number;
  /** The live line, or a fresh one. @throws StoreError `unavailable` */
  line(): Promise<Line>;
  /**
   * Sends one statement that commits by itself and may be repeated: after a lost connection it is
   * sent once more. @throws StoreError
   */
  ask(text: string, parameters?: readonly Parameter[]): Promise<Answer>;
  close(): Promise<void>;
}

/** SQLSTATE class: a table or a column is not there, or not ours to read. To wait would not help. */
const syntaxOrSchema = "42";

type LineSource = Omit<Parameters<typeof openLine>[0], "attempt">;

/** Opened by its first use. */
export function createConnection(source: LineSource): Connection {
  let opening: Promise<Line> | null = null;
  let current: Line | null = null;
  let attempt = 0;
  let isClosed = false;

  async function open(): Promise<Line> {
    try {
      current = await openLine({ ...source, attempt });
      return current;
    } catch (cause) {
      attempt += 1;
      if (isOfServer(cause) && cause.code.startsWith(syntaxOrSchema)) {
        throw new StoreError("refused", "the schema is not what this code expects", { cause });
      }
      throw new StoreError("unavailable", "the database cannot be reached", { cause });
    } finally {
      opening = null;
    }
  }

  function line(): Promise<Line> {
    if (isClosed) return Promise.reject(new StoreError("unavailable", "the store is closed"));
    if (current !== null && !current.isLost) return Promise.resolve(current);
    opening ??= open();
    return opening;
  }

  return {
    get pending() {
      return (current?.pending ?? 0) + (opening === null ? 0 : 1);
    },
    line,
    async ask(text, parameters) {
      for (let isRepeat = false; ; isRepeat = true) {
        const live = await line();
        try {
          return await live.send(text, parameters);
        } catch (error) {
          if (!(error instanceof LineLost) || isRepeat || isClosed) throw storeErrorOf(error);
        }
      }
    },
    async close() {
      isClosed = true;
      await opening?.catch(() => {});
      await current?.close();
    },
  };
}

/** Each statement goes where the fewest wait; connections open as they are needed. */
export function spread(connections: readonly Connection[]): Connection {
  const first = connections[0];
  if (first === undefined) throw new RangeError("no connections to spread over");
  const idlest = () =>
    connections.reduce((best, it) => (it.pending < best.pending ? it : best), first);
  return {
    get pending() {
      return connections.reduce((sum, it) => sum + it.pending, 0);
    },
    line: () => idlest().line(),
    ask: (text, parameters) => idlest().ask(text, parameters),
    async close() {
      await Promise.all(connections.map((it) => it.close()));
    },
  };
}
