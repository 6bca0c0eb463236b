import { StoreError } from "../store.ts";
import { commitTexts } from "./commits/statements.ts";
import { type Answer, isOfServer, type Line, LineLost, openLine, type Parameter } from "./line.ts";
import { collect } from "./mail.ts";
import { claim } from "./queue.ts";
import { storeErrorOf } from "./sql-state.ts";
import { acquire } from "./tasks.ts";
import { takeDue } from "./timers.ts";

/** A node frozen inside a statement must not hold off the reaper for longer than its lease. */
const statementShare = 0.8;
/** A zombie frozen inside a transaction blocks the reaper until the database ends its session. */
const idleInTransactionShare = 0.3;

/** Of every connection of a node with this lease. */
export function sessionSettings(nodeLeaseMs: number): Readonly<Record<string, string>> {
  return {
    statement_timeout: `${Math.ceil(nodeLeaseMs * statementShare)}ms`,
    idle_in_transaction_session_timeout: `${Math.ceil(nodeLeaseMs * idleInTransactionShare)}ms`,
    // Compiling a plan costs more than any statement here takes.
    jit: "off",
  };
}

/**
 * With stale statistics the planner joins the rows of a commit to a scan of the whole task table:
 * 24 ms a commit at 150,000 rows. So no hot statement leaves it a choice. Tables are reached by an
 * id, by "= any (array)" or by a subquery that locks (ownership.ts), which can only be done by the
 * index of that column, whatever is believed of the table (migration 6); given rows are matched by
 * hash.
 * test/integration/plans.test.ts holds them to it.
 */
const fixedPlans = {
  enable_seqscan: "off",
  enable_bitmapscan: "off",
  enable_mergejoin: "off",
  plan_cache_mode: "force_generic_plan",
} as const;

export const commitPlans: Readonly<Record<string, string>> = {
  ...fixedPlans,
  // The rows of a batch, compared with each other one by one.
  enable_nestloop: "off",
};

export const takingPlans: Readonly<Record<string, string>> = {
  ...fixedPlans,
  enable_hashjoin: "off",
  // The first rows in an index's order are not to be found by sorting all.
  enable_sort: "off",
};

/**
 * To lose a claim in a crash of the database is harmless, for the next turn of the task is guarded
 * by owner and seq; to wait for its flush costs more than all the rest of it.
 */
const claimSettings: Readonly<Record<string, string>> = { synchronous_commit: "off" };

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

/** Who queues behind whom, and, more to the point, who does not. */
export interface Connections {
  /** One lane each: the statements of a batch are pipelined on it. */
  readonly lanes: readonly Connection[];
  /** Leases only: a renewal that queues behind a batch is a node that dies under load. */
  readonly leases: Connection;
  /** Claims are transactions, during which nothing else may use their connection. */
  readonly claims: Connection;
  /** And so are these, which also wait for whoever is at the task. */
  readonly acquires: Connection;
  /** Whatever else takes ownership: what is not heard of is taken again, with its timer or letter. */
  readonly takings: Connection;
  readonly readers: Connection;
  /** Everything rare that writes. */
  readonly desk: Connection;
  /** Hints only: a notification waits for a lock of the whole cluster. */
  readonly notices: Connection;
  close(): Promise<void>;
}

interface ConnectionsOptions {
  readonly url: string;
  readonly schema: string;
  readonly lanes: number;
  readonly nodeLeaseMs: number;
}

const readersMax = 3;

export function createConnections(options: ConnectionsOptions): Connections {
  const { url, schema, lanes, nodeLeaseMs } = options;
  const session = sessionSettings(nodeLeaseMs);
  const open = (
    name: string,
    settings: Readonly<Record<string, string>>,
    prepared: readonly string[] = [],
  ): Connection =>
    createConnection({
      url,
      schema,
      prepared,
      silenceMsMax: nodeLeaseMs,
      settings: { ...session, ...settings, application_name: `kantoku ${name}` },
    });
  const connections = {
    lanes: Array.from({ length: lanes }, (_, index) =>
      open(`lane ${index}`, commitPlans, commitTexts),
    ),
    leases: open("leases", takingPlans),
    claims: open("claims", { ...takingPlans, ...claimSettings }, [claim]),
    acquires: open("acquires", { ...takingPlans, ...claimSettings }, [acquire]),
    takings: open("takings", { ...takingPlans, ...claimSettings }, [takeDue, collect]),
    readers: spread(
      Array.from({ length: readersMax }, () =>
        open("reader", { plan_cache_mode: "force_custom_plan" }),
      ),
    ),
    desk: open("desk", takingPlans),
    notices: open("notices", claimSettings),
  };
  return {
    ...connections,
    async close() {
      const { lanes, ...others } = connections;
      await Promise.all([...lanes, ...Object.values(others)].map((it) => it.close()));
    },
  };
}

/** SQLSTATE class: a table or a column is not there, or not ours to read. To wait would not help. */
const syntaxOrSchema = "42";

type LineSource = Omit<Parameters<typeof openLine>[0], "attempt">;

/** Opened by its first use. */
function createConnection(source: LineSource): Connection {
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
function spread(connections: readonly Connection[]): Connection {
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
