import { KantokuError } from "../../sdk/errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Meters } from "../ports/meters.ts";
import type { Head, StoreError } from "../store/store.ts";
import type { Committed } from "../store/turns.ts";
import type { Audience } from "./audience.ts";
import type { Backlog } from "./backlog.ts";
import type { Foresight } from "./foresight.ts";
import { failCaller, type TaskMessage } from "./messages.ts";
import { leavesQueue, linksOf, type TaskDraft } from "./pen.ts";
import type { Placements } from "./placements.ts";
import type { Pool } from "./pool.ts";
import { stepKey, type TaskActor } from "./task-actor.ts";
import type { TaskActors } from "./task-actors.ts";

/** Between a turn that the database refused and the next try. */
const refusedPauseMs = 1_000;
const ourOwn: ReadonlySet<TaskMessage["type"]> = new Set(["lose", "expire", "abandon"]);

export interface AftermathOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly meters: Meters;
  readonly pool: Pool;
  readonly actors: TaskActors;
  readonly placements: Placements;
  readonly audience: Audience;
  readonly foresight: Foresight;
  /** The actor has mail. */
  schedule(actor: TaskActor): void;
  /** Acts on effects, only ever after their commit. */
  perform(draft: TaskDraft): void;
  /** A timer was written that is due in so many milliseconds. */
  timerSet(inMs: number): void;
  /** A ready task was left to whoever serves it, maybe another node. */
  queued(head: Head): void;
  /** There is news of the task, which another node may watch. */
  announce(task: string): void;
  /** Letters were written in a commit: somebody has to read them. */
  mailWritten(): void;
  /** Gives a task back that this node may own without holding it. */
  release(task: string): void;
  /** A message whose actor turned out to be stale here looks for its owner again. */
  reroute(task: string, message: TaskMessage): void;
  /** This node's lease is gone: nothing of what it holds in memory is its own any more. */
  fenced(): void;
}

/**
 * What follows a turn: once its commit is resolved, state, replies and effects; or whoever counted
 * on it is told.
 *
 * D1. Live state is replaced only by what was committed.
 * D2. An actor that this node does not own after its commit leaves memory.
 */
export class Aftermath {
  readonly #options: AftermathOptions;
  #backlog: Backlog | null = null;

  constructor(options: AftermathOptions) {
    this.#options = options;
  }

  connect(backlog: Backlog): void {
    this.#backlog = backlog;
  }

  committed(draft: TaskDraft, { losers, hasMail }: Committed): void {
    const { actor, turn, state } = draft;
    actor.isCommitting = false;
    if (hasMail) this.#options.mailWritten();
    if (losers.has(turn.id)) return this.#lost(draft);

    const tokenBefore = actor.snapshot.context.token;
    const workerBefore = actor.snapshot.context.worker;
    if (actor.identity.place !== undefined) this.#options.foresight.committed(turn.id, state);
    const facts = { state, events: turn.events };
    this.#options.meters.turned(actor.identity.definition, actor.state, facts);
    actor.state = state;
    if (turn.kind === "task") actor.rowSeq = state.seq;
    const input = linksOf(draft)?.input;
    if (input !== undefined) actor.identity = { ...actor.identity, input };
    actor.snapshot = draft.snapshot;
    const { token } = draft.snapshot.context;
    if (tokenBefore !== null && tokenBefore !== token && workerBefore !== null) {
      this.#options.actors.disarm(tokenBefore);
      // Whoever reported has let its slot go; what is still held runs on without the task.
      if (this.#options.pool.abandon(workerBefore, tokenBefore)) this.#backlog?.slotFreed();
    }
    this.#options.actors.armDeadlines(actor, (present, message) => {
      present.mailbox.push(message);
      this.#options.schedule(present);
    });
    for (const reply of draft.replies) reply();
    this.#options.audience.publish(turn.id, state, turn.events);
    for (const { dueAt } of turn.kind === "task" ? turn.timersSet : []) {
      this.#options.timerSet(dueAt - this.#options.clock.now());
    }
    if (!isNew(turn)) this.#options.announce(turn.id);
    this.#options.perform(draft);
    this.#settle(actor);
  }

  /** D2, or the next turn. */
  #settle(actor: TaskActor): void {
    if (actor.state.owner !== null) {
      if (actor.mailbox.length > 0) this.#options.schedule(actor);
      return;
    }
    const { identity, state } = actor;
    if (actor.isClaimed && state.status === "ready") {
      this.#backlog?.hold(actor);
      if (actor.mailbox.length > 0) this.#options.schedule(actor);
      return;
    }
    this.#options.actors.remove(actor);
    this.divert(identity.id, actor.mailbox.splice(0));
    if (actor.isClaimed) this.#backlog?.giveBack(actor);
    if (state.status === "ready") {
      const { namespace, definition } = identity;
      const head = { namespace, definition, version: state.version };
      this.#backlog?.wasQueued(head, actor);
      this.#options.queued(head);
    }
  }

  /** Its key was taken: nothing of it was written. */
  #lost(draft: TaskDraft): void {
    this.#options.actors.remove(draft.actor);
    this.#takeBack(draft);
    for (const message of draft.messages) {
      if (message.type === "submit") message.caller?.answer({ created: false });
      else this.#options.reroute(draft.actor.identity.id, message);
    }
  }

  /** Not written, for sure; or, with `wasSent` and a lost lease, nobody can tell. */
  rejected(draft: TaskDraft, error: StoreError, wasSent: boolean): void {
    const { actor, messages } = draft;
    actor.isCommitting = false;
    const isTakenUp = leavesQueue(draft);
    // Before its slot is given to the next one of the kind.
    if (isTakenUp) this.#backlog?.mistook();
    this.#takeBack(draft);
    if (linksOf(draft)?.isForetold) return this.#mistook(draft, error);
    const failure = toKantokuError(error, wasSent);
    if (error.fault === "refused" && actor.state.owner !== null)
      return this.#revert(draft, failure);
    this.#options.actors.remove(actor);
    const { id } = actor.identity;
    if (error.fault === "stale" || (isTakenUp && error.fault !== "fenced")) {
      // Another node took the task over, or it stands in the queue still: whoever owns it next hears
      // what was said to us. And should it be ours all the same, it must not stay owned by a node
      // that does not know it; of what was taken up in vain that is known.
      if (!isTakenUp || actor.isClaimed) this.#options.release(id);
      for (const message of messages) this.#options.reroute(id, message);
      return this.divert(id, actor.mailbox.splice(0));
    }
    for (const message of [...messages, ...actor.mailbox.splice(0)]) failCaller(message, failure);
    if (error.fault === "fenced") this.#options.fenced();
  }

  /** It begins a little later, by its letter. */
  #mistook({ actor }: TaskDraft, error: StoreError): void {
    const { id } = actor.identity;
    this.#options.foresight.mistook(id);
    this.#options.actors.remove(actor);
    this.divert(id, actor.mailbox.splice(0));
    if (error.fault === "fenced") this.#options.fenced();
  }

  /** Nothing of the turn was written and the task is still ours: it goes on as it was. */
  #revert({ actor, messages, turn }: TaskDraft, failure: KantokuError): void {
    for (const { type, data } of turn.events) {
      if (type === "step.recorded") actor.steps?.delete(stepKey(JSON.parse(data)));
    }
    for (const message of messages) failCaller(message, failure);
    if (actor.mailbox.length > 0) this.#options.schedule(actor);
    // Nobody says these again; and a task that has no slot now goes back to the queue.
    const owed = messages.filter(({ type }) => ourOwn.has(type));
    this.#options.clock.after(refusedPauseMs, () => {
      if (!this.#options.actors.holds(actor)) return;
      actor.mailbox.push(...owed);
      this.#options.schedule(actor);
    });
  }

  /** Mail of an actor that is not here any more. A slot reserved for it is free again. */
  divert(id: string, messages: readonly TaskMessage[]): void {
    for (const message of messages) {
      if (message.type === "assign") this.#options.placements.giveBack(message);
      else this.#options.reroute(id, message);
    }
  }

  /** The slot or the place in the queue that a turn counted on, when it was not committed. */
  #takeBack({ placement, state }: TaskDraft): void {
    if (placement !== null) this.#options.placements.giveBack(placement);
    if (state.status === "ready") this.#backlog?.wasNotQueued();
  }
}

/** Nobody can watch a task before it is there. */
function isNew(turn: TaskDraft["turn"]): boolean {
  return turn.kind === "task" && turn.identity !== null;
}

export function toKantokuError(error: StoreError, wasSent: boolean): KantokuError {
  if (error.fault === "fenced") {
    const message = wasSent
      ? "the node lost its lease while the outcome was unknown; ask again under the same key"
      : "the node lost its lease; nothing was written";
    return new KantokuError("busy", message, { data: { retryAfterMs: 100 }, cause: error });
  }
  return new KantokuError("internal", "the database refused the change", { cause: error });
}
