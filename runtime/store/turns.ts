import type { TimerKind } from "../machines/task.effects.ts";
import type {
  EventRow,
  Instant,
  JsonText,
  Letter,
  TaskIdentity,
  TaskState,
  WorkerRow,
} from "./rows.ts";

/** One advance of one task, as rows. */
export interface TaskTurn {
  readonly kind: "task";
  readonly id: string;
  /** Set for a submit: the task is new. */
  readonly identity: TaskIdentity | null;
  /** The row's seq before this turn; 0 for a new task. Elsewhere, the commit fails as `stale`. */
  readonly expectedSeq: number;
  readonly state: TaskState;
  readonly events: readonly EventRow[];
  readonly timersSet: readonly { readonly kind: TimerKind; readonly dueAt: Instant }[];
  readonly timersCleared: readonly TimerKind[];
  /** Ids of the letters that this turn consumed. */
  readonly letters: readonly string[];
  /**
   * It was ready and nobody's, and this turn takes it out of the queue without a claim. `stale` where
   * another node was first.
   */
  readonly leavesQueue?: true;
  /** Absent for a task that has nothing to do with others. */
  readonly links?: TaskLinks;
}

/** What a turn does to other tasks, or because of them. */
export interface TaskLinks {
  /** What the task's input has become. */
  readonly input?: JsonText;
  /** It waits for the ends of these from now on. They are of this batch, or have not ended. */
  readonly dependsOn?: readonly string[];
  /** It had ended and goes on: tasks that counted its end count it as open again. */
  readonly hasReopened?: boolean;
  /** It gets a letter that says that it waits for nothing, unless its gate counts something. */
  readonly asksGate?: boolean;
  /** It has ended: tasks that waited for nothing else get a letter that says so. */
  readonly hasEnded?: boolean;
  readonly posts?: readonly Letter[];
  /**
   * The last of what it waited for ends in this very batch: nobody owned it until now, its gate
   * comes down to nothing, and no letter has to say so.
   */
  readonly isForetold?: boolean;
  /** A letter for each task directly under it that has not ended, or under one there that has. */
  readonly toChildren?: JsonText;
}

/**
 * Steps of one task, recorded: events and nothing more, at half the cost of a row that is written,
 * too. The row stays at its seq and snapshot until another turn of the task; until then these
 * events are its tail. A seq that somebody else took makes the commit fail as `stale`.
 */
export interface StepsTurn {
  readonly kind: "steps";
  readonly id: string;
  readonly events: readonly EventRow[];
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

export type Turn = TaskTurn | StepsTurn | WorkerTurn;

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

/**
 * Lanes of a node unless told otherwise. On two cores, of no-op tasks a second three lanes commit a
 * fifth more than two, because Node never waits for both; four make the batches smaller.
 */
export const lanesDefault = 3;

export interface Committed {
  /** Ids of submits whose idempotency key was taken: nothing of them was written. */
  readonly losers: ReadonlySet<string>;
  /** Letters were written that any node may act upon. */
  readonly hasMail: boolean;
}
