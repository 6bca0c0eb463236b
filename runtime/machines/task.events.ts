import type { TaskKind } from "../../sdk/protocol/graph.ts";
import type { Backoff, RetryPolicy, TaskError } from "../../sdk/protocol/task.ts";

/** The policy that applies to a task, complete, frozen in its journal by the first assignment. */
export interface Policy {
  readonly maxAttempts: number;
  readonly backoff: Backoff;
  readonly minMs: number;
  readonly maxMs: number;
  readonly timeoutMs: number | null;
  readonly attemptTimeoutMs: number | null;
}

/** What a submit or a definition says of retries and timeouts; the submit's word goes first. */
export interface Asked {
  readonly retry?: RetryPolicy;
  readonly timeoutMs?: number;
  readonly attemptTimeoutMs?: number;
}

/** A task that other tasks do, or nobody: it has no attempts. */
export type Composite = Exclude<TaskKind, "task">;

/** Its input stands; it waits for others, or for its input; or the tasks under it go on. */
export type RestartedTo = "ready" | "blocked" | "running";

/** That a preprocessor ran: SHA-256 of its source and of the JSON text that it was given. */
export interface Preprocessed {
  readonly source: string;
  readonly input: string;
}

/**
 * What can happen to a task. Each is one journal entry; everything drawn or measured (instants,
 * jitter, tokens) stands inside it, so that folding the journal again gives the same state.
 */
export type TaskEvent =
  | {
      readonly type: "task.submitted";
      readonly definition: string;
      readonly version: string;
      readonly priority: number;
      /** Present when the start lies in the future. */
      readonly dueAt?: number;
      readonly asked?: Asked;
      /** Present when other tasks have to end first, or its input has to be made: how many tasks. */
      readonly dependencies?: number;
      /** Absent for a task that a worker does. */
      readonly kind?: Composite;
      /** Of one that other tasks do and that begins at once: when it is out of time. */
      readonly deadlineAt?: number;
    }
  | {
      /** All that it waited for has ended, and its input stands. */
      readonly type: "task.resolved";
      /** Present when the start lies in the future even so. */
      readonly dueAt?: number;
      readonly preprocessed?: readonly Preprocessed[];
      /** Of one that other tasks do: when it is out of time. */
      readonly deadlineAt?: number;
    }
  | {
      /** All begins anew but what was recorded: the numbers of its attempts, and its steps' outputs. */
      readonly type: "task.restarted";
      readonly to: RestartedTo;
      /** Present when it never began, and its start lies in the future still. */
      readonly dueAt?: number;
      /** Of one that other tasks do and that goes on: when it is out of time. */
      readonly deadlineAt?: number;
    }
  | {
      /** It takes over the output of this task of an earlier tree. Its first event, and its last. */
      readonly type: "task.reused";
      readonly of: string;
      readonly definition: string;
      readonly version: string;
      readonly priority: number;
      readonly kind?: Composite;
    }
  | { readonly type: "task.readied" }
  | { readonly type: "task.skipped"; readonly reason: string }
  /** Without an attempt: by what it depends on, or by what it is made of. */
  | { readonly type: "task.failed"; readonly error: TaskError }
  /** By the tasks that it is made of, or by what it was given. */
  | { readonly type: "task.succeeded"; readonly preprocessed?: readonly Preprocessed[] }
  | { readonly type: "task.cancelled" }
  | {
      readonly type: "attempt.assigned";
      readonly attempt: number;
      readonly token: string;
      readonly worker: string;
      /** The version that runs; a task stays on it. */
      readonly version: string;
      readonly assignedAt: number;
      /** Only in the first assignment. */
      readonly policy?: Policy;
    }
  | { readonly type: "attempt.succeeded"; readonly token: string }
  | {
      readonly type: "attempt.failed";
      readonly token: string;
      readonly error: TaskError;
      /** When the next attempt may begin; absent when there is none. */
      readonly retryAt?: number;
    }
  | { readonly type: "attempt.timedOut"; readonly token: string; readonly retryAt?: number }
  | {
      readonly type: "attempt.lost";
      readonly token: string;
      readonly reason: string;
      /** Whether the loss may be the task's own doing: its worker's process died under it. */
      readonly counts: boolean;
    }
  | {
      readonly type: "attempt.refused";
      readonly token: string;
      readonly reason: string;
      readonly retryAt: number;
    }
  | { readonly type: "attempt.cancelled"; readonly token: string; readonly forced: boolean }
  | {
      readonly type: "attempt.late";
      readonly token: string;
      readonly outcome: "succeeded" | "failed";
    }
  | {
      readonly type: "step.recorded";
      readonly token: string;
      readonly step: string;
      readonly occurrence: number;
      readonly output?: unknown;
      readonly error?: TaskError;
    }
  | { readonly type: "task.cancelRequested"; readonly reason: string; readonly graceUntil: number }
  | { readonly type: "task.timedOut" };
