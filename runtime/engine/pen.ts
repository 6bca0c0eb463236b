import { isEnded } from "../../sdk/protocol/task.ts";
import type { Wish } from "../machines/fold.ts";
import type { TaskEffect, TimerKind } from "../machines/task.effects.ts";
import type { TaskEvent } from "../machines/task.events.ts";
import type { EventRow, TaskState } from "../store/rows.ts";
import type { StepsTurn, TaskLinks, TaskTurn } from "../store/turns.ts";
import { bytesOfIdentity } from "./bytes.ts";
import { type Columns, columnsOf, project, statusOf } from "./columns.ts";
import type { Child, GraphBirth, Placement, Resolution, TaskMessage } from "./messages.ts";
import { stepKey, type TaskActor, type TaskSnapshot, taskFold } from "./task-actor.ts";

/** What one turn came to: rows to commit, and what follows once they are. */
export interface TaskDraft {
  readonly actor: TaskActor;
  readonly messages: readonly TaskMessage[];
  readonly turn: TaskTurn | StepsTurn;
  /** What the task is after it. */
  readonly state: TaskState;
  readonly snapshot: TaskSnapshot;
  readonly effects: readonly OutwardEffect[];
  /** The slot that this turn used; free again if the turn is not committed. */
  readonly placement: Placement | null;
  readonly replies: readonly (() => void)[];
  /** Tasks that are made with this turn. */
  readonly children: readonly Child[];
  /** Bytes of JSON that the turn carries, for the bound on what gathers. */
  readonly bytes: number;
}

/** Effects that leave the store: the others are rows of the turn. */
type OutwardEffect = Extract<TaskEffect, { type: "startAttempt" | "cancelAttempt" }>;

export interface Verdict {
  /** The event that the message became; null when it changed nothing. */
  readonly event: TaskEvent | null;
  readonly snapshot: TaskSnapshot;
  readonly isRepeat: boolean;
}

const released = JSON.stringify({ type: "released" });

/** So many events at most are folded again by who takes a task over, and as many steps again. */
const tailMax = 64;

/** Writes one turn: holds what has been folded so far. */
export class Pen {
  readonly actor: TaskActor;
  snapshot: TaskSnapshot;
  placement: Placement | null = null;
  readonly verdicts: Verdict[] = [];
  readonly letters: string[] = [];
  readonly #events: EventRow[] = [];
  readonly #effects: OutwardEffect[] = [];
  #children: readonly Child[] = [];
  #links: { -readonly [Key in keyof TaskLinks]: TaskLinks[Key] } | null = null;
  readonly #timersSet = new Map<TimerKind, number>();
  readonly #timersCleared = new Set<TimerKind>();
  readonly columns: Columns;

  constructor(actor: TaskActor) {
    this.actor = actor;
    this.snapshot = actor.snapshot;
    this.columns = columnsOf(actor.state);
  }

  get isChanged(): boolean {
    return this.#events.length > 0 || this.letters.length > 0 || this.#timersCleared.size > 0;
  }

  hasStep(used: { step: string; occurrence: number }): boolean {
    return this.actor.steps?.has(stepKey(used)) ?? false;
  }

  /** False: the machine does not accept the event now, and nothing is recorded. */
  fold(event: TaskEvent, now: number): boolean {
    const { snapshot, wishes } = taskFold.next(this.snapshot, event);
    if (snapshot === this.snapshot) return false;
    this.snapshot = snapshot;
    const { type, ...data } = event;
    this.#events.push({
      seq: this.actor.state.seq + this.#events.length + 1,
      type,
      at: now,
      data: JSON.stringify(data),
    });
    project(this.columns, event, { snapshot, now });
    if (event.type === "step.recorded") this.actor.steps?.add(stepKey(event));
    for (const wish of wishes) this.#grant(wish);
    return true;
  }

  clearTimer(kind: TimerKind): void {
    this.#timersSet.delete(kind);
    this.#timersCleared.add(kind);
  }

  foretell(): void {
    this.#link().isForetold = true;
  }

  resolve(resolution: Resolution): void {
    if (resolution.kind === "succeed") this.columns.output = resolution.output;
    if (resolution.kind !== "go") return;
    this.#link().input = resolution.input;
    this.beget(resolution);
  }

  /** What is made along with this turn, and waited for from now on. */
  beget({ children, dependsOn }: Pick<GraphBirth, "children" | "dependsOn">): void {
    if (dependsOn.length > 0) this.#link().dependsOn = dependsOn;
    this.#children = children;
  }

  /** Nobody else will tell a task without dependencies that it may be resolved. */
  postReleased(letter: string): void {
    this.#link().posts = [{ id: letter, actor: this.actor.identity.id, message: released }];
  }

  /** What it waits for may have ended meanwhile: the store knows, once this is committed. */
  askGate(): void {
    this.#link().asksGate = true;
  }

  /** A letter that comes after the end is still meant for what is under the task. */
  passOn(reason: string): void {
    const { attempt, graph } = this.snapshot.context;
    const hasEnded = isEnded(statusOf(this.snapshot));
    if (hasEnded && (attempt > 0 || graph.composite !== null)) this.#cancelChildren(reason);
  }

  #cancelChildren(reason: string): void {
    this.#link().toChildren = JSON.stringify({ type: "cancel", reason });
  }

  #link(): { -readonly [Key in keyof TaskLinks]: TaskLinks[Key] } {
    this.#links ??= {};
    return this.#links;
  }

  /** Owned while an attempt is alive; everybody else's while it waits or has ended. */
  ownerAfter(node: string): string | null {
    const { value, context } = this.snapshot;
    if (context.graph.composite !== null) return null;
    return value === "running" || value === "cancelling" ? node : null;
  }

  draft(rest: {
    node: string;
    messages: readonly TaskMessage[];
    replies: readonly (() => void)[];
    placement: Placement | null;
  }): TaskDraft {
    const { actor, snapshot } = this;
    const { messages, replies, placement } = rest;
    this.#linkEnds();
    const owner = this.ownerAfter(rest.node);
    const isOfSteps = owner === actor.state.owner && this.#hasOnlySteps;
    const state = isOfSteps ? { ...actor.state, seq: this.#lastSeq } : this.#stateAfter(owner);
    const turn = isOfSteps
      ? ({ kind: "steps", id: actor.identity.id, events: this.#events } as const)
      : this.#turnTo(state);
    const born = actor.rowSeq === 0 ? bytesOfIdentity(actor.identity) : 0;
    const payload = born + (this.columns.output?.length ?? 0);
    const bytes = this.#events.reduce((sum, event) => sum + event.data.length, payload + 512);
    const effects = this.#effects;
    const children = this.#children;
    return { actor, messages, turn, state, snapshot, effects, placement, replies, children, bytes };
  }

  get #lastSeq(): number {
    return this.actor.state.seq + this.#events.length;
  }

  /** Nothing but steps came of it, and the row is not too far behind to stay as it is. */
  get #hasOnlySteps(): boolean {
    return (
      this.#events.length > 0 &&
      this.#links === null &&
      this.letters.length === 0 &&
      this.#timersCleared.size === 0 &&
      this.#lastSeq - this.actor.rowSeq <= tailMax &&
      this.#events.every(({ type }) => type === "step.recorded")
    );
  }

  /** Others may count this task's end, or its going on. */
  #linkEnds(): void {
    const { identity, state } = this.actor;
    if (!identity.place?.isAwaited) return;
    const { endedAt } = this.columns;
    if (endedAt !== null && state.endedAt === null) this.#link().hasEnded = true;
    if (endedAt === null && state.endedAt !== null) this.#link().hasReopened = true;
  }

  #stateAfter(owner: string | null): TaskState {
    const { snapshot } = this;
    const { context } = snapshot;
    const status = statusOf(snapshot);
    const isCached = this.#lastSeq > tailMax || (owner === null && !isEnded(status));
    return {
      ...this.columns,
      status,
      seq: this.#lastSeq,
      // Of what is in its owner's memory, or has ended, somebody else seldom takes up the journal.
      snapshot: isCached ? JSON.stringify(taskFold.stored(snapshot)) : null,
      owner,
      worker: context.worker ?? this.actor.state.worker,
      attempt: context.attempt,
    };
  }

  #turnTo(state: TaskState): TaskTurn {
    const { identity, rowSeq } = this.actor;
    return {
      kind: "task",
      id: identity.id,
      identity: rowSeq === 0 ? identity : null,
      expectedSeq: rowSeq,
      state,
      events: this.#events,
      timersSet: Array.from(this.#timersSet, ([kind, dueAt]) => ({ kind, dueAt })),
      timersCleared: [...this.#timersCleared],
      letters: this.letters,
      ...(this.#wasQueued ? { leavesQueue: true } : {}),
      ...(this.#links === null ? {} : { links: this.#links }),
    };
  }

  /** It stood in the queue until now, and nobody has claimed it. */
  get #wasQueued(): boolean {
    const { rowSeq, state } = this.actor;
    return rowSeq > 0 && state.status === "ready" && state.owner === null;
  }

  /** The one place where the machine's wishes become rows or effects. */
  #grant(wish: Wish): void {
    const effect = wish as TaskEffect;
    switch (effect.type) {
      case "startAttempt":
      case "cancelAttempt":
        this.#effects.push(effect);
        return;
      case "setTimer":
        if (effect.params.dueAt === null) return;
        this.#timersCleared.delete(effect.params.kind);
        this.#timersSet.set(effect.params.kind, effect.params.dueAt);
        return;
      case "cancelChildren":
        this.#cancelChildren(effect.params.reason);
        return;
      case "clearTimer":
        if (effect.params.isSet) this.clearTimer(effect.params.kind);
        return;
      default:
        effect satisfies never;
        throw new Error(`the task machine asks for what nobody does: ${JSON.stringify(wish)}`);
    }
  }
}

export function linksOf({ turn }: TaskDraft): TaskLinks | undefined {
  return turn.kind === "task" ? turn.links : undefined;
}

export function leavesQueue({ turn }: TaskDraft): boolean {
  return turn.kind === "task" && turn.leavesQueue === true;
}
