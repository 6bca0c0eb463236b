import { KantokuError } from "../../sdk/errors.ts";
import { isEnded } from "../../sdk/protocol/task.ts";
import { isSuspect } from "../machines/task.machine.ts";
import type { Clock } from "../ports/clock.ts";
import type { Entropy } from "../ports/entropy.ts";
import type { Log } from "../ports/log.ts";
import type { Meters } from "../ports/meters.ts";
import type { TaskIdentity, TaskRow } from "../store/rows.ts";
import { type Head, StoreError } from "../store/store.ts";
import type { Committed, TaskLinks } from "../store/turns.ts";
import type { Audience } from "./audience.ts";
import type { Backlog } from "./backlog.ts";
import type { Deadlines } from "./deadlines.ts";
import { Foresight } from "./foresight.ts";
import type { BatchInMaking, Draft, GroupCommit } from "./group-commit.ts";
import { type Caller, failCaller, type Placement, type TaskMessage } from "./messages.ts";
import type { TaskDraft } from "./pen.ts";
import { type Pool, placementOf } from "./pool.ts";
import {
  createTaskActor,
  lastSeqOf,
  restoreTaskActor,
  stepKey,
  type TaskActor,
} from "./task-actor.ts";
import { mintToken } from "./token.ts";
import { type Candidate, type TurnScope, takeTurn } from "./turn.ts";
import type { WorkerActor } from "./worker-actor.ts";

/** Between a turn that the database refused and the next try. */
const refusedPauseMs = 1_000;
const isOurOwn: ReadonlySet<TaskMessage["type"]> = new Set(["lose", "expire", "abandon"]);

export interface DirectoryOptions {
  readonly node: string;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly meters: Meters;
  readonly commits: GroupCommit;
  readonly pool: Pool;
  readonly deadlines: Deadlines;
  readonly audience: Audience;
  /** Acts on effects, only ever after their commit. */
  perform(draft: TaskDraft): void;
  /** A timer was written that is due in so many milliseconds. */
  timerSet(inMs: number): void;
  /** A ready task was left to whoever serves it, maybe another node. */
  queued(head: Head): void;
  /** Another node watches these tasks. */
  announce(tasks: readonly string[]): void;
  /** Letters were written in a commit: somebody has to read them. */
  mailWritten(): void;
  /** Gives a task back that this node may own without holding it. */
  release(task: string): void;
  /** A message whose actor turned out to be stale here looks for its owner again. */
  reroute(task: string, message: TaskMessage): void;
  /** A row whose snapshot cannot be restored. */
  unreadable(row: TaskRow): void;
  /** This node's lease is gone: nothing of what it holds in memory is its own any more. */
  fenced(): void;
}

/**
 * The tasks in this node's memory, and the way of a message through them: mailbox, turn, commit,
 * then state, replies and effects.
 *
 * D1. Live state is replaced only by what was committed.
 * D2. An actor that this node does not own after its commit leaves memory.
 */
export class TaskDirectory {
  readonly #options: DirectoryOptions;
  readonly #actors = new Map<string, TaskActor>();
  readonly #foresight = new Foresight();
  #backlog: Backlog | null = null;

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  connect(backlog: Backlog): void {
    this.#backlog = backlog;
  }

  get size(): number {
    return this.#actors.size;
  }

  get(id: string): TaskActor | undefined {
    return this.#actors.get(id);
  }

  create(identity: TaskIdentity): TaskActor {
    const actor = createTaskActor(identity);
    this.#actors.set(identity.id, actor);
    return actor;
  }

  /** A row whose ownership was just taken. What is in memory and owned is newer than the row. */
  adopt(row: TaskRow): TaskActor {
    const present = this.#actors.get(row.id);
    if (present !== undefined && (present.isCommitting || present.state.seq >= lastSeqOf(row))) {
      return present;
    }
    const actor = restoreTaskActor(row, this.#options.log);
    this.#actors.set(row.id, actor);
    this.#armDeadlines(actor);
    for (const message of present?.mailbox.splice(0) ?? []) {
      // Which steps are recorded has to be read again first.
      if (message.type === "recordStep") this.#options.reroute(row.id, message);
      else this.post(actor, message);
    }
    return actor;
  }

  /** For rows that nobody asked for by name: one that cannot be read does not hold up the others. */
  takeIn(row: TaskRow): TaskActor | null {
    try {
      return this.adopt(row);
    } catch {
      this.#options.unreadable(row);
      return null;
    }
  }

  /** An actor that has left memory since the caller found it takes no mail: it would lie there for ever. */
  post(actor: TaskActor, message: TaskMessage): void {
    const { id } = actor.identity;
    if (this.#actors.get(id) !== actor) return this.#divert(id, [message]);
    actor.mailbox.push(message);
    this.#schedule(actor);
  }

  /**
   * A turn of each, in one commit: all of them or none. Answers `false` when one of them is not as
   * it was seen, at `seq` and without mail: nothing was written then.
   */
  postTogether(mail: readonly Addressed[], caller: Caller<boolean>): void {
    this.#options.commits.schedule({
      takeTurn: (batch) => this.#takeTurns(mail, { caller, batch }),
    });
  }

  /** Gives up what was taken for nothing: a turn without mail lets go of what needs no owner. */
  leave(actors: readonly TaskActor[]): void {
    for (const actor of actors) {
      if (this.#actors.get(actor.identity.id) === actor) this.#schedule(actor);
    }
  }

  /** Reserves the worker's slot for a claimed task and sends it on its way. */
  assign(actor: TaskActor, worker: WorkerActor): void {
    const { identity, state, snapshot } = actor;
    const token = mintToken(identity.id, snapshot.context.attempt + 1, this.#options.entropy);
    const isSuspected = isSuspect(snapshot.context);
    this.#options.pool.hold(worker, { token, task: identity.id, isSuspect: isSuspected });
    const { namespace, definition } = identity;
    const head = { namespace, definition, version: state.version };
    const version = this.#options.pool.versionFor(worker, head);
    this.post(actor, { type: "assign", ...placementOf(worker, token, version) });
  }

  /** Drops what another node has taken over. */
  forget(id: string): void {
    const actor = this.#actors.get(id);
    if (actor === undefined || actor.isCommitting) return;
    this.#remove(actor);
    this.#divert(id, actor.mailbox.splice(0));
  }

  /** The node's lease is gone: everybody who waits comes again under the same key. */
  abandonAll(): void {
    const error = new KantokuError("busy", "the node lost its lease and starts again", {
      data: { retryAfterMs: 100 },
    });
    for (const actor of this.#actors.values()) {
      for (const message of actor.mailbox.splice(0)) failCaller(message, error);
    }
    this.#actors.clear();
  }

  #schedule(actor: TaskActor): void {
    if (actor.isCommitting || actor.isScheduled) return;
    actor.isScheduled = true;
    this.#options.commits.schedule({
      group: actor.identity.place?.isAwaited ? actor.identity.root : undefined,
      takeTurn: (batch) => this.#takeTurn(actor, batch),
    });
  }

  /** The turn, and in the same batch what it makes or lets begin. */
  #takeTurn(actor: TaskActor, batch: BatchInMaking): Draft[] {
    actor.isScheduled = false;
    if (this.#actors.get(actor.identity.id) !== actor) return [];
    if (actor.isClaimed) this.#backlog?.drop(actor);
    const draft = this.#decide(actor);
    if (draft === null) {
      if (actor.state.owner === null) this.#remove(actor);
      return [];
    }
    actor.isCommitting = true;
    const own: Draft = {
      turns: [draft.turn],
      bytes: draft.bytes,
      committed: (committed) => this.#committed(draft, committed),
      rejected: (error, wasSent) => this.#rejected(draft, error, wasSent),
    };
    const first = draft.children.length === 0 ? own : this.#withChildren(own, draft, batch);
    return linksOf(draft)?.hasEnded ? [first, ...this.#foretell(draft, batch)] : [first];
  }

  #takeTurns(
    mail: readonly Addressed[],
    { caller, batch }: { caller: Caller<boolean>; batch: BatchInMaking },
  ): Draft[] {
    const held = mail.filter(({ actor }) => this.#actors.get(actor.identity.id) === actor);
    const isAsSeen = ({ actor, seq }: Addressed) =>
      actor.state.seq === seq &&
      !(actor.isCommitting || actor.isScheduled || actor.mailbox.length > 0);
    if (held.length < mail.length || !held.every(isAsSeen)) {
      caller.answer(false);
      this.leave(held.map(({ actor }) => actor));
      return [];
    }
    const drafts = mail.flatMap(({ actor, message }) => {
      actor.mailbox.push(message);
      return this.#takeTurn(actor, batch);
    });
    const whole = together(drafts, () => caller.answer(true));
    const rejected: Draft["rejected"] = (error, wasSent) => {
      whole.rejected(error, wasSent);
      if (error.fault === "stale") caller.answer(false);
      else caller.fail(toKantokuError(error, wasSent));
    };
    if (drafts.length === mail.length) return [{ ...whole, rejected }];
    rejected(new StoreError("refused", "one of these turns could not be taken"), false);
    return [];
  }

  /**
   * A turn that throws is the end of nobody but its callers. The task stays this node's and lies
   * still: whoever took it next would fall over it, too.
   */
  #decide(actor: TaskActor): TaskDraft | null {
    const messages = actor.mailbox.splice(0);
    try {
      return takeTurn(actor, messages, this.#turnScope());
    } catch (error) {
      const task = actor.identity.id;
      this.#options.log.error("a turn could not be taken", { task, error });
      const failure = new KantokuError("internal", `task ${task} could not take its turn`);
      for (const message of messages) failCaller(message, failure);
      this.#remove(actor);
      return null;
    }
  }

  /** Brings children to life in the commit of their parent's turn. */
  #withChildren(own: Draft, draft: TaskDraft, batch: BatchInMaking): Draft {
    const { actor, children } = draft;
    const born = children.map(({ identity, submit }) => {
      const child = this.create(identity);
      child.mailbox.push(submit);
      return { actor: child, dependsOn: submit.birth?.dependsOn ?? [] };
    });
    const drafts = born.flatMap((child) => this.#takeTurn(child.actor, batch));
    const members = linksOf(draft)?.dependsOn ?? [];
    return together([own, ...drafts], ({ losers }) => {
      if (!losers.has(actor.identity.id))
        this.#foresight.learn({ parent: actor, children: born, members });
    });
  }

  /** What waited for nothing but this end takes its turn in the same batch. */
  #foretell({ actor: ended, state }: TaskDraft, batch: BatchInMaking): Draft[] {
    const { id } = ended.identity;
    return this.#foresight.foretell(id, state, batch).flatMap(({ actor, resolution }) => {
      if (this.#actors.has(actor.identity.id)) return [];
      this.#actors.set(actor.identity.id, actor);
      actor.mailbox.push({ type: "resolve", letter: null, resolution });
      return this.#takeTurn(actor, batch).map((draft) => ({ ...draft, isForetold: true }));
    });
  }

  #turnScope(): TurnScope {
    const { clock, entropy, node, pool } = this.#options;
    return {
      node,
      entropy,
      now: clock.now(),
      place: (candidate) => this.#place(candidate),
      unplace: (placement) => this.#unplace(placement),
      definedPolicy: (worker, definition, version) =>
        pool.definedPolicy(worker, definition, version),
    };
  }

  #place({ identity, version, snapshot }: Candidate): Placement | null {
    const { namespace, definition } = identity;
    const head = { namespace, definition, version };
    const isSuspected = isSuspect(snapshot.context);
    const worker = this.#backlog?.hasRoomAtOnce(head)
      ? this.#options.pool.pick(head, isSuspected)
      : null;
    if (worker === null) {
      this.#backlog?.willQueue();
      return null;
    }
    const token = mintToken(identity.id, snapshot.context.attempt + 1, this.#options.entropy);
    this.#options.pool.hold(worker, { token, task: identity.id, isSuspect: isSuspected });
    return placementOf(worker, token, this.#options.pool.versionFor(worker, head));
  }

  #unplace(placement: Placement): void {
    this.#options.pool.letGo(placement.worker, placement.token);
    this.#backlog?.slotFreed();
  }

  #committed(draft: TaskDraft, { losers, watched, hasMail }: Committed): void {
    const { actor, turn, state } = draft;
    actor.isCommitting = false;
    if (hasMail) this.#options.mailWritten();
    if (losers.has(turn.id)) return this.#lost(draft);

    const tokenBefore = actor.snapshot.context.token;
    const workerBefore = actor.snapshot.context.worker;
    if (actor.identity.place !== undefined) this.#foresight.committed(turn.id, state);
    const facts = { state, events: turn.events };
    this.#options.meters.turned(actor.identity.definition, actor.state, facts);
    actor.state = state;
    if (turn.kind === "task") actor.rowSeq = state.seq;
    const input = linksOf(draft)?.input;
    if (input !== undefined) actor.identity = { ...actor.identity, input };
    actor.snapshot = draft.snapshot;
    const { token } = draft.snapshot.context;
    if (tokenBefore !== null && tokenBefore !== token && workerBefore !== null) {
      this.#options.deadlines.clear(tokenBefore);
      // Whoever reported has let its slot go; what is still held runs on without the task.
      this.#options.pool.abandon(workerBefore, tokenBefore);
    }
    this.#armDeadlines(actor);
    for (const reply of draft.replies) reply();
    this.#options.audience.publish(turn.id, state, turn.events);
    for (const { dueAt } of turn.kind === "task" ? turn.timersSet : []) {
      this.#options.timerSet(dueAt - this.#options.clock.now());
    }
    if (watched.includes(turn.id)) this.#options.announce([turn.id]);
    this.#options.perform(draft);
    this.#settle(actor);
  }

  /** D2, or the next turn. */
  #settle(actor: TaskActor): void {
    if (actor.state.owner !== null) {
      if (actor.mailbox.length > 0) this.#schedule(actor);
      return;
    }
    this.#remove(actor);
    const { identity, state } = actor;
    this.#divert(identity.id, actor.mailbox.splice(0));
    if (actor.isClaimed) this.#backlog?.giveBack(actor);
    if (state.status === "ready") {
      const { namespace, definition } = identity;
      const head = { namespace, definition, version: state.version };
      this.#backlog?.wasQueued(head);
      this.#options.queued(head);
    }
  }

  /** Its key was taken: nothing of it was written. */
  #lost(draft: TaskDraft): void {
    this.#remove(draft.actor);
    this.#takeBack(draft);
    for (const message of draft.messages) {
      if (message.type === "submit") message.caller?.answer({ created: false });
      else this.#options.reroute(draft.actor.identity.id, message);
    }
  }

  #rejected(draft: TaskDraft, error: StoreError, wasSent: boolean): void {
    const { actor, messages } = draft;
    actor.isCommitting = false;
    this.#takeBack(draft);
    if (linksOf(draft)?.isForetold) return this.#mistook(draft, error);
    const failure = toKantokuError(error, wasSent);
    if (error.fault === "refused" && actor.state.owner !== null)
      return this.#revert(draft, failure);
    this.#remove(actor);
    const { id } = actor.identity;
    if (error.fault === "stale") {
      // Another node took the task over: its new owner hears what was said to us. And should it be
      // ours all the same, it must not stay owned by a node that does not know it.
      this.#options.release(id);
      for (const message of messages) this.#options.reroute(id, message);
      return this.#divert(id, actor.mailbox.splice(0));
    }
    for (const message of [...messages, ...actor.mailbox.splice(0)]) failCaller(message, failure);
    if (error.fault === "fenced") this.#options.fenced();
  }

  /** It begins a little later, by its letter. */
  #mistook({ actor }: TaskDraft, error: StoreError): void {
    const { id } = actor.identity;
    this.#foresight.mistook(id);
    this.#remove(actor);
    this.#divert(id, actor.mailbox.splice(0));
    if (error.fault === "fenced") this.#options.fenced();
  }

  /** Nothing of the turn was written and the task is still ours: it goes on as it was. */
  #revert({ actor, messages, turn }: TaskDraft, failure: KantokuError): void {
    for (const { type, data } of turn.events) {
      if (type === "step.recorded") actor.steps?.delete(stepKey(JSON.parse(data)));
    }
    for (const message of messages) failCaller(message, failure);
    if (actor.mailbox.length > 0) this.#schedule(actor);
    // Nobody says these again; and a task that has no slot now goes back to the queue.
    const owed = messages.filter(({ type }) => isOurOwn.has(type));
    this.#options.clock.after(refusedPauseMs, () => {
      if (this.#actors.get(actor.identity.id) !== actor) return;
      actor.mailbox.push(...owed);
      this.#schedule(actor);
    });
  }

  /** Mail of an actor that is not here any more. A slot reserved for it is free again. */
  #divert(id: string, messages: readonly TaskMessage[]): void {
    for (const message of messages) {
      if (message.type === "assign") this.#unplace(message);
      else this.#options.reroute(id, message);
    }
  }

  /** The slot or the place in the queue that a turn counted on, when it was not committed. */
  #takeBack({ placement, state }: TaskDraft): void {
    if (placement !== null) this.#unplace(placement);
    if (state.status === "ready") this.#backlog?.wasQueued(null);
  }

  #remove(actor: TaskActor): void {
    if (this.#actors.get(actor.identity.id) !== actor) return;
    this.#actors.delete(actor.identity.id);
    const { token } = actor.snapshot.context;
    if (token !== null) this.#options.deadlines.clear(token);
  }

  /** Derived from the snapshot, so that the next owner arms the same ones. */
  #armDeadlines(actor: TaskActor): void {
    const { context, value } = actor.snapshot;
    const { token } = context;
    if (token === null || isEnded(actor.state.status)) return;
    const now = this.#options.clock.now();
    if (value === "running" && context.attemptDeadlineAt !== null) {
      this.#options.deadlines.set(token, { now, dueAt: context.attemptDeadlineAt }, () =>
        this.#post(actor.identity.id, { type: "expire", token }),
      );
    }
    if (value === "cancelling") {
      this.#options.deadlines.set(token, { now, dueAt: context.cancel?.graceUntil ?? now }, () =>
        this.#post(actor.identity.id, { type: "abandon", token }),
      );
    }
  }

  #post(id: string, message: TaskMessage): void {
    const actor = this.#actors.get(id);
    if (actor !== undefined) this.post(actor, message);
  }
}

/** A message for an actor as it was seen at this seq. */
export interface Addressed {
  readonly actor: TaskActor;
  readonly seq: number;
  readonly message: TaskMessage;
}

function linksOf({ turn }: TaskDraft): TaskLinks | undefined {
  return turn.kind === "task" ? turn.links : undefined;
}

/** Turns that are committed together or not at all. */
function together(drafts: readonly Draft[], whenCommitted: (committed: Committed) => void): Draft {
  return {
    turns: drafts.flatMap(({ turns }) => turns),
    bytes: drafts.reduce((sum, { bytes }) => sum + bytes, 0),
    committed: (committed) => {
      for (const draft of drafts) draft.committed(committed);
      whenCommitted(committed);
    },
    rejected: (error, wasSent) => {
      for (const draft of drafts) draft.rejected(error, wasSent);
    },
  };
}

function toKantokuError(error: StoreError, wasSent: boolean): KantokuError {
  if (error.fault === "fenced") {
    const message = wasSent
      ? "the node lost its lease while the outcome was unknown; ask again under the same key"
      : "the node lost its lease; nothing was written";
    return new KantokuError("busy", message, { data: { retryAfterMs: 100 }, cause: error });
  }
  return new KantokuError("internal", "the database refused the change", { cause: error });
}
