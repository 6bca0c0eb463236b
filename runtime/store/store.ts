import type { TaskKind } from "../../sdk/protocol/graph.ts";
import type { Finding } from "../../sdk/protocol/service.ts";
import type { TaskStatus } from "../../sdk/protocol/task.ts";
import type {
  DefinitionRow,
  EndingRow,
  EventRow,
  Instant,
  JsonText,
  Letter,
  PipelineRow,
  TaskRow,
  TaskState,
  TimerRow,
  WorkerRow,
} from "./rows.ts";
import type { Batch, Committed } from "./turns.ts";

/**
 * Why the store did not do what it was asked.
 * - `fenced`: the node's lease row is gone or expired; nothing was written.
 * - `stale`: a turn's expected seq or owner does not match; nothing was written. `actors` may name them.
 * - `refused`: the database refuses some row of the batch (22xxx, 23xxx); nothing was written.
 * - `contended`: deadlock, serialization failure, or no end in a statement's time; nothing was
 *   written, send again.
 * - `unknown`: the connection ended after the commit was sent; send the identical batch again.
 * - `unavailable`: the database cannot be reached or is starting; nothing was sent.
 */
export type StoreFault = "fenced" | "stale" | "refused" | "contended" | "unknown" | "unavailable";

export class StoreError extends Error {
  readonly fault: StoreFault;

  constructor(fault: StoreFault, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "StoreError";
    this.fault = fault;
  }
}

export function isStoreError(error: unknown, fault?: StoreFault): error is StoreError {
  return error instanceof StoreError && (fault === undefined || error.fault === fault);
}

/** What a node claims for: one definition as one version, where `""` takes any. */
export interface Head {
  readonly namespace: string;
  readonly definition: string;
  readonly version: string;
}

interface NodeIdentity {
  readonly incarnation: string;
  readonly host: string;
  readonly pid: number;
  /** Tells a process from a later one with the same pid; opaque. */
  readonly processStart: string;
}

export interface NodeRow extends NodeIdentity {
  readonly expiresAt: Instant;
}

/** A node's lease unless told otherwise. */
export const nodeLeaseMsDefault = 10_000;

/** Leases of nodes. All comparisons are made by the database's clock. */
export interface NodeStore {
  enlist(node: NodeIdentity, leaseMs: number): Promise<{ readonly now: Instant }>;
  /** `null` when the lease row is gone: this incarnation is dead. */
  renew(
    incarnation: string,
    leaseMs: number,
  ): Promise<{ readonly now: Instant; readonly nodes: number } | null>;
  list(): Promise<readonly NodeRow[]>;
  /** Incarnations whose lease has ended. */
  expired(): Promise<readonly string[]>;
  /** Deletes the lease row, waiting for commits that hold it. Frees nothing: see `free`. */
  remove(incarnation: string): Promise<void>;
  /**
   * Second statement of a reap, in batches until it returns 0: actors of nodes without a lease row
   * lose their owner, and those that are ready go back to the queue. Returns how many; a batch is
   * about `limit`.
   */
  free(limit: number): Promise<number>;
}

export interface CommitStore {
  /**
   * Writes a batch in one transaction whose first statement locks the node's lease row.
   * Sending the identical batch again is safe: it answers for the first.
   * @throws StoreError
   */
  commit(batch: Batch): Promise<Committed>;
}

/** Unowned ready tasks. */
export interface QueueStore {
  /** Takes ownership of up to `limit` tasks, by priority, then age, over all heads. Leaves the queue. */
  claim(node: string, heads: readonly Head[], limit: number): Promise<readonly TaskRow[]>;
  /** How many wait at a head, counted up to `cap`. */
  depth(head: Head, cap: number): Promise<number>;
}

/**
 * The first of the rows that were asked for, in their order: so many that what they hold reaches
 * `bytesMax`, or all. The last may go beyond it, and so there is one where there is any.
 */
export interface Part<Row> {
  readonly rows: readonly Row[];
  /** There are more of those that were asked for. */
  readonly isCut: boolean;
}

export interface TaskStore {
  /**
   * Takes ownership of those of `ids` that no live node owns (or that this node owns), and
   * returns them with all that was committed. With `worker`, also of tasks that run on that worker,
   * whoever owns them: the worker is attached here now.
   */
  acquire(node: string, ids: readonly string[], worker?: string): Promise<readonly TaskRow[]>;
  /** The same for every task that runs on (or is being cancelled on) this worker. */
  acquireOfWorker(node: string, worker: string): Promise<readonly TaskRow[]>;
  /** The tasks that run, or are being cancelled, on these workers, whoever owns them. */
  runningOn(
    workers: readonly string[],
  ): Promise<readonly { readonly id: string; readonly worker: string }[]>;
  /** Gives up ownership without a turn; ready ones go back to the queue. */
  release(node: string, ids: readonly string[]): Promise<void>;
  read(namespace: string, id: string): Promise<TaskRow | null>;
  readByKey(namespace: string, key: string): Promise<TaskRow | null>;
  /** The root that did this one again. */
  readRestart(of: string): Promise<TaskRow | null>;
  /** Any namespace: for answering tokens and watches. */
  readMany(ids: readonly string[]): Promise<readonly TaskRow[]>;
  /** How those of them have ended that have, or are quarantined. */
  endings(ids: readonly string[]): Promise<readonly EndingRow[]>;
  list(query: TaskQuery): Promise<readonly TaskRow[]>;
  listPart(query: TaskQuery, bytesMax: number): Promise<Part<TaskRow>>;
  saveProgress(id: string, progress: JsonText): Promise<void>;
  /** Deletes up to `limit` ended roots (and what is under them) that ended before `endedBefore`. */
  deleteEnded(endedBefore: Instant, limit: number): Promise<number>;
}

export interface TaskQuery {
  readonly namespace: string;
  readonly status?: readonly TaskStatus[];
  readonly definition?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly createdAfter?: Instant;
  readonly createdBefore?: Instant;
  readonly root?: string;
  /** This root, and all that did it again. */
  readonly restartRoot?: string;
  readonly order: "ascending" | "descending";
  /** Keyset: strictly beyond this id in the order. */
  readonly beyond?: string;
  readonly limit: number;
}

export interface JournalStore {
  /** Events of a task or worker with seq > `after`, in order. */
  read(actor: string, after: number, limit: number): Promise<readonly EventRow[]>;
  readPart(
    actor: string,
    page: { readonly after: number; readonly limit: number; readonly bytesMax: number },
  ): Promise<Part<EventRow>>;
  /** Only those of one type. */
  readType(actor: string, type: string, after: number, limit: number): Promise<readonly EventRow[]>;
}

export interface TimerStore {
  /**
   * Timers that are due by the database's clock, oldest first, whose task this node owns or may
   * own: ownership is taken, the rows come back. The turn that consumes a timer deletes it.
   */
  takeDue(
    node: string,
    limit: number,
  ): Promise<readonly { readonly timer: TimerRow; readonly task: TaskRow }[]>;
  /** Milliseconds until the next timer, by the database's clock; null when there is none. */
  untilNext(): Promise<number | null>;
}

export interface MailStore {
  post(letter: Letter): Promise<void>;
  /** Letters, but for those in hand, to tasks that this node owns or may own: ownership is taken. */
  collect(
    node: string,
    limit: number,
    inHand: readonly string[],
  ): Promise<readonly { readonly letter: Letter; readonly task: TaskRow }[]>;
  /** Letters whose task does not exist any more. */
  deleteOrphans(): Promise<number>;
}

export interface WorkerStore {
  read(id: string): Promise<WorkerRow | null>;
  readByName(namespace: string, name: string): Promise<WorkerRow | null>;
  list(namespace: string): Promise<readonly WorkerRow[]>;
  /** By id; those after the id `beyond`, if there is one. */
  listPart(
    namespace: string,
    page: { readonly beyond?: string; readonly limit: number; readonly bytesMax: number },
  ): Promise<Part<WorkerRow>>;
  /** Extends leases; returns those that are still this node's. */
  renew(node: string, ids: readonly string[], leaseMs: number): Promise<readonly string[]>;
  /** Serving or draining workers whose lease has ended. */
  expired(limit: number): Promise<readonly WorkerRow[]>;
  /** Serving or draining workers of one process, found dead before its leases ended. */
  ofInstance(instance: string): Promise<readonly WorkerRow[]>;
  /** Lost or gone workers on which tasks still run: whoever recorded their end died before the rest. */
  stranding(limit: number): Promise<readonly WorkerRow[]>;
  /** Running attempts by worker, for readers. */
  runningCounts(ids: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Deletes workers that ended before, with their journals. */
  deleteEnded(endedBefore: Instant, limit: number): Promise<number>;
}

export interface DefinitionStore {
  save(rows: readonly DefinitionRow[]): Promise<void>;
  list(namespace: string): Promise<readonly DefinitionRow[]>;
}

/** What a task waited for, or what a pipeline is made of, as its dependents need it. */
export interface DependencyRow extends Pick<TaskState, "status" | "output" | "error"> {
  readonly id: string;
  readonly parent: string | null;
  readonly name: string;
  readonly dependent: string;
  /** Null where there is no output; above zero beside none where it was left out. */
  readonly outputBytes: number | null;
}

/** A task as a picture of its tree needs it: without what it holds, which may be gigabytes. */
export type MemberRow = Pick<TaskRow, "id" | "definition" | "parent" | "status"> & {
  readonly kind: TaskKind;
  readonly name: string | null;
};

export interface EdgeRow {
  readonly dependency: string;
  readonly dependent: string;
}

/** Who waits for whom. Written by commits only. */
export interface GraphStore {
  /** The outputs are left out, all of them, when together they are more than `outputBytesMax`. */
  dependenciesOf(
    dependents: readonly string[],
    outputBytesMax: number,
  ): Promise<readonly DependencyRow[]>;
  /** Of those that have one. */
  outputsOf(tasks: readonly string[]): Promise<ReadonlyMap<string, JsonText>>;
  /** How many tasks are under a root, itself not counted. */
  size(root: string): Promise<number>;
  /** A root and all that is under it, by id. */
  members(root: string): Promise<readonly MemberRow[]>;
  /** Edges whose dependent has this root, the root itself among them. */
  edges(root: string): Promise<readonly EdgeRow[]>;
  /** The child of this name. */
  child(parent: string, name: string): Promise<TaskRow | null>;
}

/** Registered pipelines: each version is for ever. */
export interface PipelineStore {
  /** Nothing changes when the version is known. */
  save(row: PipelineRow): Promise<void>;
  /** Of a name without a version, the one registered last. */
  read(namespace: string, name: string, version: string | null): Promise<PipelineRow | null>;
  /** The latest version of each, by name; those after the name `beyond`, at most `limit`. */
  list(
    namespace: string,
    page: { readonly beyond: string; readonly limit: number; readonly bytesMax: number },
  ): Promise<Part<PipelineRow>>;
}

/** Which nodes wait for news of which tasks. */
export interface WatchStore {
  watch(node: string, tasks: readonly string[]): Promise<void>;
  unwatch(node: string, tasks: readonly string[]): Promise<void>;
  /** Who watches any of these tasks. */
  watchers(tasks: readonly string[]): Promise<readonly Watch[]>;
}

interface Watch {
  readonly node: string;
  readonly task: string;
}

/** A hint that something may be there to read. It may be lost, late or doubled: polling stays on. */
export type Hint =
  | {
      readonly about: "ready";
      /** Who queued it: a node need not be told what it knows. Older nodes do not say. */
      readonly node?: string;
      readonly definition: string;
      readonly namespace: string;
    }
  | { readonly about: "mail" }
  | { readonly about: "watched"; readonly node: string; readonly tasks: readonly string[] };

export interface HintBus {
  send(hints: readonly Hint[]): Promise<void>;
  /** Starts listening; survives lost connections by itself. */
  listen(listener: (hint: Hint) => void): Promise<{ close(): Promise<void> }>;
}

/** Everything durable, by noun. Two stores implement it: PostgreSQL and memory. */
export interface Store {
  readonly nodes: NodeStore;
  readonly commits: CommitStore;
  readonly queue: QueueStore;
  readonly tasks: TaskStore;
  readonly journal: JournalStore;
  readonly timers: TimerStore;
  readonly mail: MailStore;
  readonly workers: WorkerStore;
  readonly definitions: DefinitionStore;
  readonly graphs: GraphStore;
  readonly pipelines: PipelineStore;
  readonly watches: WatchStore;
  readonly hints: HintBus;
  /**
   * The invariants of docs/ARCHITECTURE.md, each as a query that must find nothing. It may take
   * minutes: before each of them it asks whether it is still wanted, and ends when it is not.
   */
  doctor(isWanted?: () => boolean): Promise<readonly Finding[]>;
  now(): Promise<Instant>;
  close(): Promise<void>;
}
