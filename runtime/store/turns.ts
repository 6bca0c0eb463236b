import type { TimerKind } from "../machines/task.machine.ts";
import type { EventRow, Instant, TaskIdentity, TaskState, WorkerRow } from "./rows.ts";

/** One advance of one task, as rows. */
export interface TaskTurn {
  readonly kind: "task";
  readonly id: string;
  /** Set for a submit: the task is new. */
  readonly identity: TaskIdentity | null;
  /** The seq before this turn; 0 for a new task. A row elsewhere makes the commit fail as `stale`. */
  readonly expectedSeq: number;
  readonly state: TaskState;
  readonly events: readonly EventRow[];
  readonly timersSet: readonly { readonly kind: TimerKind; readonly dueAt: Instant }[];
  readonly timersCleared: readonly TimerKind[];
  /** Ids of the letters that this turn consumed. */
  readonly letters: readonly string[];
}

/** One advance of one worker. `expectedSeq` 0 inserts it. */
export interface WorkerTurn {
  readonly kind: "worker";
  readonly id: string;
  readonly expectedSeq: number;
  readonly row: WorkerRow;
  readonly leaseMs: number;
  readonly events: readonly EventRow[];
}

export type Turn = TaskTurn | WorkerTurn;

/**
 * Turns that commit together or not at all. `id` counts up within (node, lane): the row of that
 * pair holds the last one, which is how a commit whose answer was lost is resolved.
 */
export interface Batch {
  readonly node: string;
  readonly lane: number;
  readonly id: number;
  readonly turns: readonly Turn[];
}

export interface Committed {
  /** Ids of submits whose idempotency key was taken: nothing of them was written. */
  readonly losers: ReadonlySet<string>;
  /** Tasks in this batch that another node watches. */
  readonly watched: readonly string[];
}
