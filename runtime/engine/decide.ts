import { hasAttemptsLeft, isInTime, type TaskContext } from "../machines/task.context.ts";
import type { Asked, TaskEvent } from "../machines/task.events.ts";
import type { Entropy } from "../ports/entropy.ts";
import type { GraphBirth, Placement, Resolution, TaskMessage } from "./messages.ts";
import { cancelGraceMs, drawRefusedDelay, drawRetryDelay, mergePolicy } from "./policy.ts";
import type { TaskActor, TaskSnapshot } from "./task-actor.ts";

export interface DecideScope {
  readonly now: number;
  readonly entropy: Entropy;
  /** What the worker said of the definition when it registered. */
  definedPolicy(worker: string, definition: string, version: string): Asked | undefined;
}

/**
 * Turns one message into the event it would be now, with everything drawn or measured written
 * into it. Null: there is nothing to record (a repeat, or a message overtaken by another).
 */
export function decide(
  actor: TaskActor,
  snapshot: TaskSnapshot,
  message: TaskMessage,
  scope: DecideScope,
): TaskEvent | null {
  const { context } = snapshot;
  switch (message.type) {
    case "submit": {
      const { definition, priority } = actor.identity;
      if (message.birth?.reused !== undefined) return reusedEvent(actor, message);
      const isLater = message.startAt !== null && message.startAt > scope.now;
      return {
        type: "task.submitted",
        definition,
        version: message.version,
        priority,
        ...(isLater ? { dueAt: message.startAt } : {}),
        ...(message.asked === null ? {} : { asked: message.asked }),
        ...(message.birth?.isBlocked ? { dependencies: message.birth.dependsOn.length } : {}),
        ...(message.birth?.composite ? { kind: message.birth.composite } : {}),
        ...(begins(message.birth) ? deadlineOf(message.asked, scope.now) : {}),
      } as TaskEvent;
    }
    case "restart": {
      const { to } = message;
      const deadline = to === "running" ? deadlineOf(context.asked, scope.now) : {};
      const { dueAt } = context;
      // A worker's task that is blocked hears of its start when it is resolved.
      const mayBeLater = to === "ready" || (to === "blocked" && context.graph.composite !== null);
      const isLater = mayBeLater && dueAt !== null && dueAt > scope.now;
      return { type: "task.restarted", to, ...(isLater ? { dueAt } : {}), ...deadline };
    }
    case "resolve":
      return resolvedEvent(snapshot, message.resolution, scope.now);
    case "timer":
      return { type: message.kind === "due" ? "task.readied" : "task.timedOut" };
    case "assign":
      return assignedEvent(actor, snapshot, message, scope);
    case "complete":
      if (context.token !== message.token) return lateEvent(snapshot, message.token, "succeeded");
      return snapshot.value === "cancelling"
        ? { type: "attempt.cancelled", token: message.token, forced: false }
        : { type: "attempt.succeeded", token: message.token };
    case "fail":
      if (context.token !== message.token) return lateEvent(snapshot, message.token, "failed");
      if (snapshot.value === "cancelling") {
        return { type: "attempt.cancelled", token: message.token, forced: false };
      }
      return {
        type: "attempt.failed",
        token: message.token,
        error: message.error,
        ...(message.error.retryable !== false && retryOf(context, scope)),
      };
    case "refuse":
      if (context.token !== message.token) return null;
      if (snapshot.value === "cancelling") {
        return { type: "attempt.cancelled", token: message.token, forced: false };
      }
      return {
        type: "attempt.refused",
        token: message.token,
        reason: message.reason,
        retryAt: scope.now + drawRefusedDelay(scope.entropy),
      };
    case "lose":
      return {
        type: "attempt.lost",
        token: message.token,
        reason: message.reason,
        counts: message.counts,
      };
    case "expire":
      if (context.token !== message.token) return null;
      if (context.deadlineAt !== null && scope.now >= context.deadlineAt) {
        return { type: "task.timedOut" };
      }
      return {
        type: "attempt.timedOut",
        token: message.token,
        ...retryOf(context, scope),
      };
    case "abandon":
      return { type: "attempt.cancelled", token: message.token, forced: true };
    case "recordStep": {
      const { token, step, occurrence, output, error } = message;
      const outcome = error === undefined ? { output: output ?? null } : { error };
      return { type: "step.recorded", token, step, occurrence, ...outcome };
    }
    case "cancel":
      return {
        type: "task.cancelRequested",
        reason: message.reason,
        graceUntil: scope.now + cancelGraceMs,
      };
  }
}

function reusedEvent(
  { identity }: TaskActor,
  { version, birth }: Extract<TaskMessage, { type: "submit" }>,
): TaskEvent {
  const { definition, priority } = identity;
  return {
    type: "task.reused",
    of: birth?.reused?.of ?? "",
    definition,
    version,
    priority,
    ...(birth?.composite ? { kind: birth.composite } : {}),
  };
}

/** Whether the submit is also the beginning of a composite. */
function begins(birth: GraphBirth | undefined): boolean {
  return birth !== undefined && birth.composite !== null && !birth.isBlocked;
}

function deadlineOf(asked: Asked | null, now: number): { readonly deadlineAt?: number } {
  return asked?.timeoutMs === undefined ? {} : { deadlineAt: now + asked.timeoutMs };
}

/** A composite that is being cancelled waits only for what is under it to end. */
function resolvedEvent(
  snapshot: TaskSnapshot,
  resolution: Resolution,
  now: number,
): TaskEvent | null {
  if (snapshot.value === "cancelling") return { type: "task.cancelled" };
  switch (resolution.kind) {
    case "go": {
      const { startAt, preprocessed } = resolution;
      return {
        type: "task.resolved",
        ...(startAt !== null && startAt > now ? { dueAt: startAt } : {}),
        ...(preprocessed.length > 0 ? { preprocessed } : {}),
        ...(snapshot.context.graph.composite ? deadlineOf(snapshot.context.asked, now) : {}),
      };
    }
    case "skip":
      return { type: "task.skipped", reason: resolution.reason };
    case "cancel":
      return { type: "task.cancelRequested", reason: resolution.reason, graceUntil: now };
    case "fail":
      return { type: "task.failed", error: resolution.error };
    case "succeed": {
      const { preprocessed = [] } = resolution;
      return { type: "task.succeeded", ...(preprocessed.length > 0 ? { preprocessed } : {}) };
    }
    case "none":
      return null;
  }
}

export function assignedEvent(
  actor: TaskActor,
  snapshot: TaskSnapshot,
  placement: Placement,
  scope: DecideScope,
): TaskEvent {
  const { context } = snapshot;
  const { definition } = actor.identity;
  const defined = scope.definedPolicy(placement.worker, definition, placement.version);
  return {
    type: "attempt.assigned",
    attempt: context.attempt + 1,
    token: placement.token,
    worker: placement.worker,
    version: placement.version,
    assignedAt: scope.now,
    ...(context.policy === null ? { policy: mergePolicy(context.asked, defined) } : {}),
  };
}

function lateEvent(
  snapshot: TaskSnapshot,
  token: string,
  outcome: "succeeded" | "failed",
): TaskEvent | null {
  const { recordedToken, lateToken } = snapshot.context;
  return token === recordedToken || token === lateToken
    ? null
    : { type: "attempt.late", token, outcome };
}

/** When the next attempt may begin, if this one was not the last. */
function retryOf(context: TaskContext, { now, entropy }: DecideScope): { retryAt?: number } {
  if (!hasAttemptsLeft(context)) return {};
  const retryAt = now + drawRetryDelay(context.policy, context.failures + 1, entropy);
  return isInTime(context, retryAt) ? { retryAt } : {};
}
