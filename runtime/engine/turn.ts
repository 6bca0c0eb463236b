import type { TaskIdentity } from "../store/rows.ts";
import { assignedEvent, type DecideScope, decide } from "./decide.ts";
import type { Placement, TaskMessage } from "./messages.ts";
import { Pen, type TaskDraft } from "./pen.ts";
import { replyTo } from "./replies.ts";
import type { TaskActor, TaskSnapshot } from "./task-actor.ts";

export interface TurnScope extends DecideScope {
  readonly node: string;
  /** A free slot for the task, reserved under a fresh token, or null. */
  place(candidate: Candidate): Placement | null;
  /** Gives a reserved slot back. */
  unplace(placement: Placement): void;
}

/** A task that is ready and looks for a slot. */
export interface Candidate {
  readonly identity: TaskIdentity;
  readonly version: string;
  readonly snapshot: TaskSnapshot;
}

/** Load, decide: what comes of the messages. Null: nothing to commit, callers answered. */
export function takeTurn(
  actor: TaskActor,
  messages: readonly TaskMessage[],
  scope: TurnScope,
): TaskDraft | null {
  const pen = new Pen(actor);
  for (const message of messages) takeMessage(pen, message, scope);
  const assigned = pen.snapshot.value === "ready" ? placeReady(pen, scope) : pen.placement;

  const replies = messages.map((message, index) => replyTo(message, pen.verdicts[index]));
  if (!pen.isChanged && actor.state.owner === pen.ownerAfter(scope.node)) {
    for (const reply of replies) reply();
    return null;
  }
  return pen.draft({ node: scope.node, messages, replies, placement: assigned });
}

function takeMessage(pen: Pen, message: TaskMessage, scope: TurnScope): void {
  if (message.type === "timer") pen.clearTimer(message.kind);
  if (message.type === "cancel" && message.letter !== null) pen.letters.push(message.letter);
  if (message.type === "resolve") {
    if (message.letter === null) pen.foretell();
    else pen.letters.push(message.letter);
  }
  if (message.type === "recordStep" && pen.hasStep(message)) {
    pen.verdicts.push({ event: null, snapshot: pen.snapshot, isRepeat: true });
    return;
  }
  const event = decide(pen.actor, pen.snapshot, message, scope);
  const isAccepted = event !== null && pen.fold(event, scope.now);
  if (isAccepted && message.type === "complete" && event.type === "attempt.succeeded") {
    pen.columns.output = message.output;
  }
  if (isAccepted && message.type === "resolve") pen.resolve(message.resolution);
  if (!isAccepted && message.type === "cancel" && message.letter !== null) {
    pen.passOn(message.reason);
  }
  if (isAccepted && message.type === "submit" && message.birth !== undefined) {
    if (message.birth.reused !== undefined) pen.columns.output = message.birth.reused.output;
    pen.beget(message.birth);
    if (message.birth.isBlocked && message.birth.dependsOn.length === 0 && !isForLater(pen)) {
      pen.postReleased(scope.entropy.id());
    }
  }
  if (isAccepted && message.type === "restart" && message.to !== "ready" && !isForLater(pen)) {
    pen.askGate();
  }
  if (isAccepted && message.type === "timer" && pen.snapshot.value === "waiting") pen.askGate();
  if (message.type === "assign") {
    if (isAccepted) pen.placement = message;
    else scope.unplace(message);
  }
  pen.verdicts.push({ event: isAccepted ? event : null, snapshot: pen.snapshot, isRepeat: false });
}

/** What it is made of is laid out when its start has come. */
function isForLater({ snapshot }: Pen): boolean {
  return snapshot.context.dueAt !== null;
}

/** A task that is ready at the end of its turn gets a slot in the same commit, or goes to the queue. */
function placeReady(pen: Pen, scope: TurnScope): Placement | null {
  const { identity } = pen.actor;
  const placement = scope.place({ identity, version: pen.columns.version, snapshot: pen.snapshot });
  if (placement === null) return null;
  pen.fold(assignedEvent(pen.actor, pen.snapshot, placement, scope), scope.now);
  return placement;
}
