import type { Asked, Composite, Policy } from "./task.events.ts";

/** A suspect runs with no other suspect on its worker; only then do its losses count. */
const lossesUntilSuspect = 2;
/** Losses while suspect after which a task is quarantined as poison. */
export const maxLost = 5;

/**
 * At most 18 members: each assign copies them all, and V8 makes a dictionary of a copy that has more
 * (measured: 8 µs a copy in place of 0.2, six copies a task).
 */
export interface TaskContext {
  readonly attempt: number;
  /** Attempts that count towards `maxAttempts`. */
  readonly failures: number;
  readonly losses: Losses;
  readonly steps: number;
  /** How many of them are from before the last restart: those that failed for good are forgotten. */
  readonly stepsBefore: number;
  readonly graph: GraphState;
  /** What the submit asked for, until the first assignment merges it into the policy. */
  readonly asked: Asked | null;
  readonly policy: Policy | null;
  /** The running attempt; null between attempts. */
  readonly token: string | null;
  readonly worker: string | null;
  readonly attemptDeadlineAt: number | null;
  /** End of the task as a whole; known from the first assignment on. */
  readonly deadlineAt: number | null;
  readonly hasDeadlineTimer: boolean;
  /** Until when it waits; of one that ended before its start, when that was to be. */
  readonly dueAt: number | null;
  readonly cancel: Cancel | null;
  /** The attempt whose outcome was recorded last, to answer a worker that reports it again. */
  readonly recordedToken: string | null;
  readonly lateToken: string | null;
}

/** Only those that may be the task's own doing. */
export interface Losses {
  readonly all: number;
  readonly whileSuspect: number;
}

/** What the task has to do with others. */
export interface GraphState {
  /** Null: a worker does it. */
  readonly composite: Composite | null;
  /** It waits for other tasks, or for its input. */
  readonly isBlocked: boolean;
}

interface Cancel {
  readonly reason: string;
  /** The end of the grace in which an attempt may clean up. */
  readonly graceUntil: number;
}

export const noLosses: Losses = { all: 0, whileSuspect: 0 };
export const alone: GraphState = { composite: null, isBlocked: false };

export const fresh: TaskContext = {
  attempt: 0,
  failures: 0,
  losses: noLosses,
  steps: 0,
  stepsBefore: 0,
  graph: alone,
  asked: null,
  policy: null,
  token: null,
  worker: null,
  attemptDeadlineAt: null,
  deadlineAt: null,
  hasDeadlineTimer: false,
  dueAt: null,
  cancel: null,
  recordedToken: null,
  lateToken: null,
};

/** Whether an attempt that fails now is not the last. */
export function hasAttemptsLeft({ policy, failures }: TaskContext): boolean {
  return policy !== null && failures + 1 < policy.maxAttempts;
}

/** An attempt that could only begin after the deadline is none: better to end than to wait for it. */
export function isInTime({ deadlineAt }: TaskContext, at: number): boolean {
  return deadlineAt === null || at < deadlineAt;
}

export function isSuspect(context: TaskContext): boolean {
  return context.losses.all >= lossesUntilSuspect;
}
