import { createFold, type Standing, type StoredSnapshot } from "../machines/fold.ts";
import type { TaskEvent } from "../machines/task.events.ts";
import { taskMachine } from "../machines/task.machine.ts";
import type { EventRow, TaskIdentity, TaskRow, TaskState } from "../store/rows.ts";
import type { JournalStore } from "../store/store.ts";
import type { TaskMessage } from "./messages.ts";

export const taskFold = createFold(taskMachine);
export type TaskSnapshot = Standing<typeof taskMachine>;

/** A task in this node's memory: its last committed state and its mailbox. Data; turns act on it. */
export interface TaskActor {
  /** Fixed, but for an input that had to be made. */
  identity: TaskIdentity;
  state: TaskState;
  /** The seq that the row stands at: behind `state.seq` by the steps recorded since. */
  rowSeq: number;
  snapshot: TaskSnapshot;
  readonly mailbox: TaskMessage[];
  /** At most one uncommitted turn: later messages wait until its commit is resolved. */
  isCommitting: boolean;
  isScheduled: boolean;
  /** Steps in the journal, as `name#occurrence`; null when they have not been read since a restore. */
  steps: Set<string> | null;
  /** Claimed for a free slot that it has not got yet. */
  isClaimed: boolean;
}

/** Of a journal that is read as a whole. */
const pageRows = 1_000;

const unborn: TaskState = {
  status: "waiting",
  version: "",
  seq: 0,
  snapshot: null,
  owner: null,
  worker: null,
  attempt: 0,
  output: null,
  error: null,
  startedAt: null,
  endedAt: null,
};

export function createTaskActor(identity: TaskIdentity): TaskActor {
  return {
    identity,
    state: unborn,
    rowSeq: 0,
    snapshot: taskFold.initial,
    mailbox: [],
    isCommitting: false,
    isScheduled: false,
    isClaimed: false,
    steps: new Set(),
  };
}

/** Names one use of a step within its task. */
export function stepKey({ step, occurrence }: { step: string; occurrence: number }): string {
  return `${step}#${occurrence}`;
}

/** One that failed for good: what is recorded of it is its error. */
export function isFailedStep({ data }: Pick<EventRow, "data">): boolean {
  return (JSON.parse(data) as { error?: unknown }).error != null;
}

/** @throws when the row has no snapshot that can be read */
export function restoreTaskActor(row: TaskRow): TaskActor {
  const actor = createTaskActor(row);
  const { tail = [] } = row;
  actor.rowSeq = row.seq;
  actor.state = { ...row, seq: lastSeqOf(row) };
  const isWhole = row.snapshot === null && tail.length > 0;
  actor.snapshot = tail.reduce(foldEvent, isWhole ? taskFold.initial : restoreSnapshot(row));
  if (actor.snapshot.context.steps > 0) actor.steps = null;
  return actor;
}

/** The seq of the last event that the row knows of, or brings along. */
export function lastSeqOf({ seq, tail }: Pick<TaskRow, "seq" | "tail">): number {
  return tail?.at(-1)?.seq ?? seq;
}

/** The snapshot after an event of the journal. */
function foldEvent(snapshot: TaskSnapshot, { type, data }: EventRow): TaskSnapshot {
  const event = { type, ...(JSON.parse(data) as object) } as TaskEvent;
  return taskFold.next(snapshot, event).snapshot;
}

/** @throws when the row has no snapshot that can be read */
export function restoreSnapshot({ id, snapshot }: TaskRow): TaskSnapshot {
  if (snapshot === null) throw new Error(`task ${id} has no snapshot, and its journal is not here`);
  return taskFold.restore(JSON.parse(snapshot) as StoredSnapshot);
}

/** The snapshot of a task that is only looked at. */
export async function readSnapshot(row: TaskRow, journal: JournalStore): Promise<TaskSnapshot> {
  return row.snapshot === null ? foldJournal(row, journal) : restoreSnapshot(row);
}

/** The snapshot at the row's seq, made from the journal alone. */
export async function foldJournal(row: TaskRow, journal: JournalStore): Promise<TaskSnapshot> {
  let snapshot = taskFold.initial;
  for (let seq = 0; seq < row.seq; ) {
    const page = await journal.read(row.id, seq, pageRows);
    const events = page.filter((it) => it.seq <= row.seq);
    if (events.length === 0) throw new RangeError(`the journal ends at seq ${seq}`);
    snapshot = events.reduce(foldEvent, snapshot);
    seq = events.at(-1)?.seq ?? row.seq;
  }
  return snapshot;
}
