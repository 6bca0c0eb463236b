import { commitTexts } from "./commits/statements.ts";
import { type Connection, createConnection, spread } from "./connection.ts";
import { collect } from "./mail.ts";
import { claim } from "./queue.ts";
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
  /** A portion of what is deleted takes half a second, which no letter should wait for. */
  readonly retention: Connection;
  /** Hints, and who wants them: a notification waits for a lock of the whole cluster. */
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
    retention: open("retention", { ...takingPlans, ...claimSettings }),
    notices: open("notices", { ...takingPlans, ...claimSettings }),
  };
  return {
    ...connections,
    async close() {
      const { lanes, ...others } = connections;
      await Promise.all([...lanes, ...Object.values(others)].map((it) => it.close()));
    },
  };
}
