import type { TaskKind } from "../../sdk/protocol/graph.ts";
import type { TaskStatus } from "../../sdk/protocol/task.ts";
import type { TimerKind } from "../machines/task.effects.ts";

/** Epoch milliseconds by the database's clock. */
export type Instant = number;
/** JSON as text: order and numbers as they were given. */
export type JsonText = string;

/** Where a task stands among others: absent for one that stands alone. */
export interface TaskPlace {
  readonly kind: TaskKind;
  /** Unique under its parent; null for a root. */
  readonly name: string | null;
  /** Of a pipeline or an `each`: what is under it. */
  readonly graph: JsonText | null;
  /** How many tasks it is under. */
  readonly depth: number;
  /** Its end is counted by others. */
  readonly isAwaited: boolean;
}

/** That a root does again what an earlier one did. */
interface Restart {
  readonly of: string;
  /** The first of the chain. */
  readonly root: string;
}

/** What a submit fixes for ever, but for the input of a task that waits for what goes into it. */
export interface TaskIdentity {
  readonly id: string;
  readonly namespace: string;
  readonly definition: string;
  readonly key: string | null;
  readonly priority: number;
  readonly input: JsonText;
  readonly labels: JsonText;
  readonly metadata: JsonText;
  readonly root: string;
  readonly parent: string | null;
  readonly trace: string | null;
  readonly place?: TaskPlace;
  readonly restart?: Restart;
  readonly createdAt: Instant;
}

/** What turns change. */
export interface TaskState {
  readonly status: TaskStatus;
  /** Empty until a submit or the first assignment fixes it. */
  readonly version: string;
  readonly seq: number;
  /** A cache of the journal's fold up to `seq`. Null: the journal is short enough to be folded again. */
  readonly snapshot: JsonText | null;
  /** Incarnation of the node that owns the actor. */
  readonly owner: string | null;
  readonly worker: string | null;
  readonly attempt: number;
  readonly output: JsonText | null;
  readonly error: JsonText | null;
  readonly startedAt: Instant | null;
  readonly endedAt: Instant | null;
}

/** How a task ended, or that it is quarantined. */
export type EndingRow = Pick<TaskRow, "id" | "status" | "output" | "error">;

export interface TaskRow extends TaskIdentity, TaskState {
  readonly progress: JsonText | null;
  /**
   * The journal from where the snapshot ends, in order, its steps without their outcomes. Absent
   * where nothing is there, and from rows whose ownership was not taken.
   */
  readonly tail?: readonly EventRow[];
}

export interface EventRow {
  readonly seq: number;
  readonly type: string;
  readonly at: Instant;
  readonly data: JsonText;
}

type WorkerStatus = "connecting" | "serving" | "draining" | "gone" | "lost";

export interface WorkerRow {
  readonly id: string;
  readonly namespace: string;
  /** Unnamed workers carry their id as their name. */
  readonly name: string;
  readonly instance: string;
  readonly status: WorkerStatus;
  readonly seq: number;
  readonly snapshot: JsonText;
  /** Incarnation of the node whose socket the worker is on. */
  readonly node: string | null;
  readonly slots: number;
  readonly labels: JsonText;
  readonly definitions: JsonText;
  readonly registeredAt: Instant;
  readonly expiresAt: Instant;
}

export interface DefinitionRow {
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  /** `{retry?, timeoutMs?, attemptTimeoutMs?, inputSchema?}` as the worker registered it. */
  readonly policy: JsonText;
}

/** One version of a registered pipeline. */
export interface PipelineRow {
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  /** A PipelineBody. */
  readonly body: JsonText;
  readonly registeredAt: Instant;
}

/** A message to an actor that another node owns, kept until the turn that consumes it. */
export interface Letter {
  readonly id: string;
  readonly actor: string;
  readonly message: JsonText;
}

export interface TimerRow {
  readonly actor: string;
  readonly kind: TimerKind;
  readonly dueAt: Instant;
}
