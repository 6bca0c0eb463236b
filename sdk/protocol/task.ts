/**
 * `waiting` and the rest up to `quarantined` can still move; the last four are ends, which only a
 * restart takes back, and never `succeeded`.
 */
export const taskStatuses = [
  "waiting",
  "ready",
  "running",
  "suspended",
  "cancelling",
  "paused",
  "quarantined",
  "succeeded",
  "failed",
  "cancelled",
  "skipped",
] as const;
export type TaskStatus = (typeof taskStatuses)[number];

const endedStatuses = ["succeeded", "failed", "cancelled", "skipped"] as const;
export type EndedStatus = (typeof endedStatuses)[number];

export function isEnded(status: TaskStatus): status is EndedStatus {
  return (endedStatuses as readonly string[]).includes(status);
}

/** Ended, or quarantined: that can go on one day, but nobody should wait for it with a socket open. */
export function isOver(status: TaskStatus): boolean {
  return isEnded(status) || status === "quarantined";
}

/** An error as it is stored and sent: sanitised, bounded, plain data. */
export interface TaskError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  /** `false` ends the task whatever its retry policy says. */
  readonly retryable?: boolean;
  readonly stack?: string;
  readonly cause?: TaskError;
  readonly data?: unknown;
}

export type Backoff = "exponential" | "fixed";

/** How often, and how long apart, a failed attempt is tried again. Delays are drawn with full jitter. */
export interface RetryPolicy {
  /** Attempts in all, the first included. Lost attempts do not count. */
  readonly maxAttempts?: number;
  readonly backoff?: Backoff;
  readonly minMs?: number;
  readonly maxMs?: number;
}

/** What a task is called by: its id, or the idempotency key it was submitted under. */
export type TaskRef = { readonly id: string } | { readonly key: string };

/** A fact about one task or worker; `seq` counts 1, 2, 3 … without gaps. `at` is epoch milliseconds. */
export interface JournalEvent {
  readonly seq: number;
  readonly type: string;
  readonly at: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Why a task does not run right now, in words and as data. */
export interface WaitingFor {
  readonly reason:
    | "start-time"
    | "dependencies"
    | "backoff"
    | "no-worker"
    | "full-workers"
    | "queue"
    | "operator"
    | "quarantine";
  readonly message: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** A task as readers see it. Instants are epoch milliseconds. */
export interface TaskView {
  readonly id: string;
  readonly definition: string;
  readonly version: string;
  readonly status: TaskStatus;
  readonly input: unknown;
  readonly output?: unknown;
  readonly error?: TaskError;
  readonly attempt: number;
  readonly priority: number;
  readonly createdAt: number;
  readonly startedAt?: number;
  readonly endedAt?: number;
  readonly worker?: string;
  readonly parent?: string;
  readonly root: string;
  /** Of a root that does an earlier one again: that one, and the first of the chain. */
  readonly restartOf?: string;
  readonly restartRoot?: string;
  readonly key?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly progress?: unknown;
  readonly seq: number;
  readonly waitingFor?: WaitingFor;
}

export interface WorkerView {
  readonly id: string;
  readonly name?: string;
  readonly status: "connecting" | "serving" | "draining" | "gone" | "lost";
  readonly slots: number;
  readonly running: number;
  readonly definitions: readonly { readonly name: string; readonly version: string }[];
  readonly labels: Readonly<Record<string, string>>;
  readonly node?: string;
  readonly registeredAt: number;
  readonly leaseExpiresAt: number;
}
