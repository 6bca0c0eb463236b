import { assertEvent, assign, setup } from "xstate";
import {
  alone,
  fresh,
  type GraphState,
  hasAttemptsLeft,
  isInTime,
  isSuspect,
  type Losses,
  maxLost,
  noLosses,
  type TaskContext,
} from "./task.context.ts";
import type { CancelAttempt, ClearTimer, SetTimer } from "./task.effects.ts";
import type { TaskEvent } from "./task.events.ts";

const betweenAttempts = { token: null, worker: null, attemptDeadlineAt: null } as const;

function earliest(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.min(a, b);
}

function oneMore(context: TaskContext): Losses {
  const { all, whileSuspect } = context.losses;
  return { all: all + 1, whileSuspect: whileSuspect + (isSuspect(context) ? 1 : 0) };
}

function unblocked({ graph }: TaskContext): GraphState {
  return graph.isBlocked ? { ...graph, isBlocked: false } : graph;
}

function isAlone(event: Extract<TaskEvent, { type: "task.submitted" }>): boolean {
  return event.kind === undefined && event.dependencies === undefined;
}

function reasonOf(event: TaskEvent): string | undefined {
  if (event.type === "task.timedOut") return "timed out";
  return event.type === "task.cancelRequested" ? event.reason : undefined;
}

/** For one that other tasks do, whose time begins with it: no attempt says so. */
function deadlineOf({ deadlineAt }: { readonly deadlineAt?: number }) {
  return { deadlineAt: deadlineAt ?? null, hasDeadlineTimer: deadlineAt !== undefined };
}

const keepDeadline = {
  type: "setTimer",
  params: ({ context }: { context: TaskContext }): SetTimer => ({
    kind: "deadline",
    dueAt: context.deadlineAt,
  }),
} as const;

const forgetDeadline = {
  type: "clearTimer",
  params: ({ context }: { context: TaskContext }): ClearTimer => ({
    kind: "deadline",
    isSet: context.hasDeadlineTimer,
  }),
} as const;

const abandonAttempt = {
  type: "cancelAttempt",
  params: ({ context, event }: { context: TaskContext; event: TaskEvent }): CancelAttempt => ({
    token: context.token,
    worker: context.worker,
    reason: reasonOf(event) ?? "timed out",
  }),
} as const;

const cancelChildren = {
  type: "cancelChildren",
  params: ({ context, event }: { context: TaskContext; event: TaskEvent }) => ({
    reason: reasonOf(event) ?? context.cancel?.reason ?? "cancelled",
  }),
} as const;

/** What an earlier attempt has started may go on without it. One that never began costs nothing more. */
const cancels = [
  { guard: "hasBegun", target: "cancelled", actions: ["noteCancelRequest", cancelChildren] },
  { target: "cancelled", actions: "noteCancelRequest" },
] as const;

const timesOut = [
  { guard: "hasBegun", target: "failed", actions: cancelChildren },
  { target: "failed" },
] as const;

/** Where a task that is restarted goes; attempts go on counting. */
const restarts = [
  { guard: "isRestartedBlocked", target: "waiting", actions: [forgetDeadline, "noteRestarted"] },
  {
    guard: "isRestartedWhole",
    target: "running",
    actions: [forgetDeadline, "noteRestarted", keepDeadline],
  },
  { guard: "isRestartedForLater", target: "waiting", actions: [forgetDeadline, "noteRestarted"] },
  { target: "ready", actions: [forgetDeadline, "noteRestarted"] },
] as const;

/**
 * The life of a task. Folded purely: see fold.ts. Ended states are not XState's `final`, because
 * one thing may still be noted there: that a worker reported too late.
 */
export const taskMachine = setup({
  types: { context: {} as TaskContext, events: {} as TaskEvent },
  guards: {
    isBlocked: ({ context }) => context.graph.isBlocked,
    isComposite: ({ context }) => context.graph.composite !== null,
    hasBegun: ({ context }) => context.attempt > 0,
    hasDependencies: ({ event }) =>
      event.type === "task.submitted" && event.dependencies !== undefined,
    isOfTasks: ({ event }) => event.type === "task.submitted" && event.kind !== undefined,
    startsLater: ({ event }) => event.type === "task.submitted" && event.dueAt !== undefined,
    isResolvedForLater: ({ context, event }) =>
      context.graph.isBlocked && event.type === "task.resolved" && event.dueAt !== undefined,
    isRestartedBlocked: ({ event }) => event.type === "task.restarted" && event.to === "blocked",
    isRestartedWhole: ({ event }) => event.type === "task.restarted" && event.to === "running",
    isRestartedForLater: ({ event }) =>
      event.type === "task.restarted" && event.dueAt !== undefined,
    isBlockedComposite: ({ context }) =>
      context.graph.isBlocked && context.graph.composite !== null,
    isHeld: ({ context, event }) => "token" in event && event.token === context.token,
    isHeldAndMayRetry: ({ context, event }) => {
      if (event.type !== "attempt.failed" && event.type !== "attempt.timedOut") return false;
      if (event.token !== context.token || event.retryAt === undefined) return false;
      if (event.type === "attempt.failed" && event.error.retryable === false) return false;
      return hasAttemptsLeft(context) && isInTime(context, event.retryAt);
    },
    isHeldAndPoison: ({ context, event }) =>
      event.type === "attempt.lost" &&
      event.token === context.token &&
      event.counts &&
      isSuspect(context) &&
      context.losses.whileSuspect + 1 >= maxLost,
    isUnnotedLate: ({ context, event }) =>
      event.type === "attempt.late" && event.token !== context.lateToken,
  },
  actions: {
    noteSubmitted: assign(({ event }) => {
      assertEvent(event, "task.submitted");
      return {
        ...deadlineOf(event),
        dueAt: event.dueAt ?? null,
        asked: event.asked ?? null,
        graph: isAlone(event)
          ? alone
          : { composite: event.kind ?? null, isBlocked: event.dependencies !== undefined },
      };
    }),
    noteResolved: assign(({ context, event }) => {
      assertEvent(event, "task.resolved");
      return { ...deadlineOf(event), graph: unblocked(context), dueAt: event.dueAt ?? null };
    }),
    noteAssigned: assign(({ context, event }) => {
      assertEvent(event, "attempt.assigned");
      const policy = context.policy ?? event.policy ?? null;
      const timeoutMs = policy?.timeoutMs ?? null;
      // From the first assignment on, or the first since a restart.
      const deadlineAt =
        context.deadlineAt ?? (timeoutMs === null ? null : event.assignedAt + timeoutMs);
      const attemptEndsAt =
        policy?.attemptTimeoutMs != null ? event.assignedAt + policy.attemptTimeoutMs : null;
      return {
        attempt: event.attempt,
        token: event.token,
        worker: event.worker,
        asked: null,
        policy,
        deadlineAt,
        attemptDeadlineAt: earliest(attemptEndsAt, deadlineAt),
      };
    }),
    noteRestarted: assign(({ context, event }) => {
      assertEvent(event, "task.restarted");
      return {
        ...betweenAttempts,
        failures: 0,
        losses: noLosses,
        stepsBefore: context.steps,
        graph: { ...context.graph, isBlocked: event.to === "blocked" },
        ...deadlineOf(event),
        dueAt: event.dueAt ?? null,
        cancel: null,
      };
    }),
    noteReused: assign(({ event }) => {
      assertEvent(event, "task.reused");
      return { graph: { composite: event.kind ?? null, isBlocked: false } };
    }),
    noteRecorded: assign(({ context }) => ({ ...betweenAttempts, recordedToken: context.token })),
    noteFailure: assign(({ context, event }) => ({
      ...betweenAttempts,
      failures: context.failures + 1,
      recordedToken: event.type === "attempt.failed" ? event.token : context.recordedToken,
    })),
    noteBackoff: assign(({ context, event }) => {
      assertEvent(event, ["attempt.failed", "attempt.timedOut", "attempt.refused"]);
      return {
        dueAt: event.retryAt ?? null,
        hasDeadlineTimer: context.deadlineAt !== null,
      };
    }),
    noteLoss: assign(({ context, event }) => {
      assertEvent(event, "attempt.lost");
      return {
        ...betweenAttempts,
        losses: event.counts ? oneMore(context) : context.losses,
        hasDeadlineTimer: context.deadlineAt !== null,
      };
    }),
    noteCancelRequest: assign(({ event }) => {
      assertEvent(event, "task.cancelRequested");
      return { cancel: { reason: event.reason, graceUntil: event.graceUntil } };
    }),
    noteAbandoned: assign(() => betweenAttempts),
    noteStopped: assign(({ context, event }) => {
      assertEvent(event, "attempt.cancelled");
      // By force: the worker has not reported yet, and when it does that is worth a note.
      return event.forced ? betweenAttempts : { ...betweenAttempts, lateToken: context.token };
    }),
    noteLate: assign(({ event }) => {
      assertEvent(event, "attempt.late");
      return { lateToken: event.token };
    }),
    noteStep: assign(({ context }) => ({ steps: context.steps + 1 })),
    noteReady: assign(() => ({ dueAt: null })),
    noteEnded: assign(({ context }) => ({
      dueAt: context.attempt === 0 ? context.dueAt : null,
      hasDeadlineTimer: false,
      graph: unblocked(context),
    })),

    startAttempt: (_, _params: { token: string }) => {},
    cancelAttempt: (_, _params: CancelAttempt) => {},
    cancelChildren: (_, _params: { reason: string }) => {},
    setTimer: (_, _params: SetTimer) => {},
    clearTimer: (_, _params: ClearTimer) => {},
  },
}).createMachine({
  id: "task",
  context: fresh,
  initial: "new",
  on: { "attempt.late": { guard: "isUnnotedLate", actions: "noteLate" } },
  states: {
    new: {
      on: {
        "task.submitted": [
          { guard: "hasDependencies", target: "waiting", actions: "noteSubmitted" },
          { guard: "startsLater", target: "waiting", actions: "noteSubmitted" },
          { guard: "isOfTasks", target: "running", actions: ["noteSubmitted", keepDeadline] },
          { target: "ready", actions: "noteSubmitted" },
        ],
        "task.reused": { target: "succeeded", actions: "noteReused" },
      },
    },
    waiting: {
      entry: { type: "setTimer", params: ({ context }) => ({ kind: "due", dueAt: context.dueAt }) },
      exit: {
        type: "clearTimer",
        params: ({ context }) => ({ kind: "due", isSet: context.dueAt !== null }),
      },
      on: {
        "task.resolved": [
          {
            guard: "isResolvedForLater",
            target: "waiting",
            reenter: true,
            actions: "noteResolved",
          },
          {
            guard: "isBlockedComposite",
            target: "running",
            actions: ["noteResolved", keepDeadline],
          },
          { guard: "isBlocked", target: "ready", actions: "noteResolved" },
        ],
        "task.skipped": { guard: "isBlocked", target: "skipped" },
        "task.failed": { guard: "isBlocked", target: "failed" },
        "task.succeeded": { guard: "isBlockedComposite", target: "succeeded" },
        "task.readied": [
          { guard: "isBlocked", actions: "noteReady" },
          { target: "ready", actions: "noteReady" },
        ],
        "task.timedOut": timesOut,
        "task.cancelRequested": cancels,
      },
    },
    ready: {
      on: {
        "attempt.assigned": {
          target: "running",
          actions: [
            "noteAssigned",
            { type: "startAttempt", params: ({ event }) => ({ token: event.token }) },
          ],
        },
        "task.timedOut": timesOut,
        "task.cancelRequested": cancels,
      },
    },
    running: {
      on: {
        "attempt.succeeded": { guard: "isHeld", target: "succeeded", actions: "noteRecorded" },
        "attempt.failed": [
          {
            guard: "isHeldAndMayRetry",
            target: "waiting",
            actions: ["noteFailure", "noteBackoff", keepDeadline],
          },
          { guard: "isHeld", target: "failed", actions: "noteFailure" },
        ],
        "attempt.timedOut": [
          {
            guard: "isHeldAndMayRetry",
            target: "waiting",
            actions: [abandonAttempt, "noteFailure", "noteBackoff", keepDeadline],
          },
          { guard: "isHeld", target: "failed", actions: [abandonAttempt, "noteFailure"] },
        ],
        "attempt.lost": [
          { guard: "isHeldAndPoison", target: "quarantined", actions: "noteLoss" },
          { guard: "isHeld", target: "ready", actions: ["noteLoss", keepDeadline] },
        ],
        "attempt.refused": {
          guard: "isHeld",
          target: "waiting",
          actions: ["noteRecorded", "noteBackoff", keepDeadline],
        },
        "step.recorded": { guard: "isHeld", actions: "noteStep" },
        "task.succeeded": { guard: "isComposite", target: "succeeded" },
        "task.failed": { guard: "isComposite", target: "failed" },
        "task.cancelRequested": {
          target: "cancelling",
          actions: ["noteCancelRequest", abandonAttempt, cancelChildren],
        },
        "task.timedOut": {
          target: "failed",
          actions: [abandonAttempt, cancelChildren, "noteAbandoned"],
        },
      },
    },
    cancelling: {
      on: {
        // Again: a child may have been submitted while the cancel was on its way.
        "attempt.cancelled": {
          guard: "isHeld",
          target: "cancelled",
          actions: ["noteStopped", cancelChildren],
        },
        "attempt.lost": {
          guard: "isHeld",
          target: "cancelled",
          actions: ["noteLoss", cancelChildren],
        },
        "task.cancelled": { guard: "isComposite", target: "cancelled" },
        "step.recorded": { guard: "isHeld", actions: "noteStep" },
      },
    },
    quarantined: {
      on: {
        "task.restarted": restarts,
        "task.cancelRequested": cancels,
        "task.timedOut": timesOut,
      },
    },
    succeeded: {
      entry: [forgetDeadline, "noteEnded"],
    },
    failed: {
      entry: [forgetDeadline, "noteEnded"],
      on: { "task.restarted": restarts },
    },
    cancelled: {
      entry: [forgetDeadline, "noteEnded"],
      on: { "task.restarted": restarts },
    },
    skipped: {
      entry: [forgetDeadline, "noteEnded"],
      on: { "task.restarted": restarts },
    },
  },
});
