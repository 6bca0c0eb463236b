import { KantokuError } from "../../sdk/errors.ts";
import type { Entropy } from "../ports/entropy.ts";
import { StoreError } from "../store/store.ts";
import type { Committed } from "../store/turns.ts";
import { Aftermath, type AftermathOptions, toKantokuError } from "./aftermath.ts";
import type { Backlog } from "./backlog.ts";
import { Foresight } from "./foresight.ts";
import type { BatchInMaking, Draft, GroupCommit } from "./group-commit.ts";
import { type Caller, failCaller, type TaskMessage } from "./messages.ts";
import { leavesQueue, linksOf, type TaskDraft } from "./pen.ts";
import { createTaskActor, type TaskActor } from "./task-actor.ts";
import { type TurnScope, takeTurn } from "./turn.ts";

export type TaskTurnsOptions = Omit<AftermathOptions, "foresight" | "schedule"> & {
  readonly node: string;
  readonly entropy: Entropy;
  readonly commits: GroupCommit;
};

/** Turns of tasks as they go into a batch: an actor's own, and those that go along with it. */
export class TaskTurns {
  readonly #options: TaskTurnsOptions;
  readonly #foresight = new Foresight();
  readonly #aftermath: Aftermath;
  #backlog: Backlog | null = null;

  constructor(options: TaskTurnsOptions) {
    this.#options = options;
    this.#aftermath = new Aftermath({
      ...options,
      foresight: this.#foresight,
      schedule: (actor) => this.schedule(actor),
    });
  }

  connect(backlog: Backlog): void {
    this.#backlog = backlog;
    this.#aftermath.connect(backlog);
  }

  schedule(actor: TaskActor): void {
    if (actor.isCommitting || actor.isScheduled) return;
    actor.isScheduled = true;
    this.#options.commits.schedule({
      group: actor.identity.place?.isAwaited ? actor.identity.root : undefined,
      takeTurn: (batch) => this.#takeTurn(actor, batch),
    });
  }

  /** See `TaskDirectory.postTogether`. */
  scheduleTogether(mail: readonly Addressed[], caller: Caller<boolean>): void {
    this.#options.commits.schedule({
      takeTurn: (batch) => this.#takeTurns(mail, { caller, batch }),
    });
  }

  /** Mail of an actor that is not here any more. */
  divert(id: string, messages: readonly TaskMessage[]): void {
    this.#aftermath.divert(id, messages);
  }

  /** Gives up what was taken for nothing: a turn without mail lets go of what needs no owner. */
  leave(actors: readonly TaskActor[]): void {
    for (const actor of actors) if (this.#options.actors.holds(actor)) this.schedule(actor);
  }

  /** The turn, and in the same batch what it makes or lets begin. */
  #takeTurn(actor: TaskActor, batch: BatchInMaking): Draft[] {
    actor.isScheduled = false;
    if (!this.#options.actors.holds(actor)) return [];
    if (actor.isClaimed) this.#backlog?.drop(actor);
    const draft = this.#decide(actor);
    if (draft === null) {
      if (actor.state.owner === null) this.#options.actors.remove(actor);
      return [];
    }
    actor.isCommitting = true;
    const own: Draft = {
      turns: [draft.turn],
      bytes: draft.bytes,
      isForetold: leavesQueue(draft),
      committed: (committed) => this.#aftermath.committed(draft, committed),
      rejected: (error, wasSent) => this.#aftermath.rejected(draft, error, wasSent),
    };
    const first = draft.children.length === 0 ? own : this.#withChildren(own, draft, batch);
    return linksOf(draft)?.hasEnded ? [first, ...this.#foretell(draft, batch)] : [first];
  }

  #takeTurns(
    mail: readonly Addressed[],
    { caller, batch }: { caller: Caller<boolean>; batch: BatchInMaking },
  ): Draft[] {
    const held = mail.filter(({ actor }) => this.#options.actors.holds(actor));
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
      this.#options.actors.remove(actor);
      return null;
    }
  }

  /** Brings children to life in the commit of their parent's turn. */
  #withChildren(own: Draft, draft: TaskDraft, batch: BatchInMaking): Draft {
    const { actor, children } = draft;
    const born = children.map(({ identity, submit }) => {
      const child = createTaskActor(identity);
      this.#options.actors.put(child);
      child.mailbox.push(submit);
      return { actor: child, dependsOn: submit.birth?.dependsOn ?? [] };
    });
    const drafts = born.toSorted(byUrgency).flatMap((child) => this.#takeTurn(child.actor, batch));
    const members = linksOf(draft)?.dependsOn ?? [];
    return together([own, ...drafts], ({ losers }) => {
      if (!losers.has(actor.identity.id))
        this.#foresight.learn({ parent: actor, children: born, members });
    });
  }

  /** What waited for nothing but this end takes its turn in the same batch. */
  #foretell({ actor: ended, state }: TaskDraft, batch: BatchInMaking): Draft[] {
    const { id } = ended.identity;
    const { actors } = this.#options;
    const foretold = this.#dare(() => this.#foresight.foretell(id, state, batch));
    return foretold.toSorted(byUrgency).flatMap(({ actor, resolution }) => {
      if (actors.get(actor.identity.id) !== undefined) return [];
      actors.put(actor);
      actor.mailbox.push({ type: "resolve", letter: null, resolution });
      return this.#takeTurn(actor, batch).map((draft) => ({ ...draft, isForetold: true }));
    });
  }

  /** A guess that fails costs nothing but itself: the letter does the work. */
  #dare<T>(guess: () => readonly T[]): readonly T[] {
    try {
      return guess();
    } catch (error) {
      this.#options.log.error("what follows an end could not be foretold", { error });
      return [];
    }
  }

  #turnScope(): TurnScope {
    const { clock, entropy, node, pool, placements } = this.#options;
    return {
      node,
      entropy,
      now: clock.now(),
      place: (candidate) => placements.place(candidate),
      unplace: (placement) => placements.giveBack(placement),
      definedPolicy: (worker, definition, version) =>
        pool.definedPolicy(worker, definition, version),
    };
  }
}

/** Of tasks that become ready together, who is offered a free slot first; else in their order. */
function byUrgency(a: { readonly actor: TaskActor }, b: { readonly actor: TaskActor }): number {
  return a.actor.identity.priority - b.actor.identity.priority;
}

/** A message for an actor as it was seen at this seq. */
export interface Addressed {
  readonly actor: TaskActor;
  readonly seq: number;
  readonly message: TaskMessage;
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
