import { KantokuError } from "../../sdk/errors.ts";
import type { TaskIdentity, TaskRow } from "../store/rows.ts";
import type { Backlog } from "./backlog.ts";
import type { Deadlines } from "./deadlines.ts";
import { type Caller, failCaller, type TaskMessage } from "./messages.ts";
import { Placements } from "./placements.ts";
import { createTaskActor, lastSeqOf, restoreTaskActor, type TaskActor } from "./task-actor.ts";
import { TaskActors } from "./task-actors.ts";
import { type Addressed, TaskTurns, type TaskTurnsOptions } from "./task-turns.ts";
import type { WorkerActor } from "./worker-actor.ts";

interface DirectoryOptions extends Omit<TaskTurnsOptions, "actors" | "placements"> {
  readonly deadlines: Deadlines;
  /** A row whose snapshot cannot be restored. */
  unreadable(row: TaskRow): void;
}

/**
 * The tasks in this node's hands: who brings one into memory, who says something to one, who lets
 * one go.
 */
export class TaskDirectory {
  readonly #options: DirectoryOptions;
  readonly #actors: TaskActors;
  readonly #placements: Placements;
  readonly #turns: TaskTurns;
  #backlog: Backlog | null = null;

  constructor(options: DirectoryOptions) {
    this.#options = options;
    this.#actors = new TaskActors(options);
    this.#placements = new Placements(options);
    this.#turns = new TaskTurns({
      ...options,
      actors: this.#actors,
      placements: this.#placements,
    });
  }

  connect(backlog: Backlog): void {
    this.#backlog = backlog;
    this.#placements.connect(backlog);
    this.#turns.connect(backlog);
  }

  get size(): number {
    return this.#actors.size;
  }

  get(id: string): TaskActor | undefined {
    return this.#actors.get(id);
  }

  create(identity: TaskIdentity): TaskActor {
    const actor = createTaskActor(identity);
    this.#actors.put(actor);
    return actor;
  }

  /** A row whose ownership was just taken. What is in memory and owned is newer than the row. */
  adopt(row: TaskRow): TaskActor {
    this.#backlog?.tookOver(row);
    const present = this.#actors.get(row.id);
    if (present !== undefined && (present.isCommitting || present.state.seq >= lastSeqOf(row))) {
      this.#possess(present, row);
      return present;
    }
    const actor = restoreTaskActor(row);
    this.#actors.put(actor);
    this.#actors.armDeadlines(actor, (present, message) => this.post(present, message));
    for (const message of present?.mailbox.splice(0) ?? []) {
      // Which steps are recorded has to be read again first.
      if (message.type === "recordStep") this.#options.reroute(row.id, message);
      else this.post(actor, message);
    }
    return actor;
  }

  /**
   * It was in memory without being owned, or its commit left it to nobody before it was taken: it is
   * this node's now, whatever becomes of the turn that is under way.
   */
  #possess(present: TaskActor, row: TaskRow): void {
    const { state, rowSeq, isCommitting } = present;
    if (!isCommitting && state.owner === null) present.state = { ...state, owner: row.owner };
    if (isCommitting && (state.owner === null || row.seq > rowSeq)) present.isClaimed = true;
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
    if (!this.#actors.holds(actor)) return this.#turns.divert(id, [message]);
    actor.mailbox.push(message);
    this.#turns.schedule(actor);
  }

  /**
   * A turn of each, in one commit: all of them or none. Answers `false` when one of them is not as
   * it was seen, at `seq` and without mail: nothing was written then.
   */
  postTogether(mail: readonly Addressed[], caller: Caller<boolean>): void {
    this.#turns.scheduleTogether(mail, caller);
  }

  /** Gives up what was taken for nothing: a turn without mail lets go of what needs no owner. */
  leave(actors: readonly TaskActor[]): void {
    this.#turns.leave(actors);
  }

  /** Reserves the worker's slot for a claimed task and sends it on its way. */
  assign(actor: TaskActor, worker: WorkerActor): void {
    const { identity, state, snapshot } = actor;
    const candidate = { identity, version: state.version, snapshot };
    this.post(actor, { type: "assign", ...this.#placements.reserve(candidate, worker) });
  }

  /** The same for a task that this node left to the queue, and that nobody has claimed. */
  takeUp(actor: TaskActor, worker: WorkerActor): void {
    this.#actors.put(actor);
    this.assign(actor, worker);
  }

  /** Drops what another node has taken over. */
  forget(id: string): void {
    const actor = this.#actors.get(id);
    if (actor === undefined || actor.isCommitting) return;
    this.#actors.remove(actor);
    this.#turns.divert(id, actor.mailbox.splice(0));
  }

  /** The node's lease is gone: everybody who waits comes again under the same key. */
  abandonAll(): void {
    const error = new KantokuError("busy", "the node lost its lease and starts again", {
      data: { retryAfterMs: 100 },
    });
    for (const actor of this.#actors.all()) {
      for (const message of actor.mailbox.splice(0)) failCaller(message, error);
    }
    this.#actors.clear();
  }
}
