import { isSuspect } from "../machines/task.machine.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Meters } from "../ports/meters.ts";
import type { TaskRow } from "../store/rows.ts";
import type { Head, QueueStore } from "../store/store.ts";
import type { Pool } from "./pool.ts";
import { QueueKnowledge } from "./queue-knowledge.ts";
import type { TaskActor } from "./task-actor.ts";
import { freeSlots, headKey, type WorkerActor } from "./worker-actor.ts";

const claimTasksMax = 500;
/** Slots that were freed this recently will be free again by the time a claim returns. */
const prefetchWindowMs = 20;
/** A claimed task that found no slot goes back: another node may have one. */
const claimHeldMsMax = 1_000;
/** Suspects wait for a worker without one; so many of them do not keep others from a free slot. */
const suspectsAside = 100;

export interface BacklogOptions {
  readonly node: string;
  readonly queue: QueueStore;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly log: Log;
  readonly meters: Meters;
  /** Brings a claimed row into memory; null: it cannot be read. */
  takeIn(row: TaskRow): TaskActor | null;
  /** Reserves a slot of the worker for a claimed task. */
  assign(actor: TaskActor, worker: WorkerActor): void;
  release(actors: readonly TaskActor[]): void;
}

/**
 * What is ready and has no slot: the queue in the store, and the few tasks claimed from it that
 * wait in memory for a slot that is about to be free.
 *
 * B1. A fresh task takes a slot at once only when every task that stands before it has one, too:
 *     age and priority go before arrival.
 * B2. What was claimed and finds no slot goes back within about a second: another node may have one.
 */
export class Backlog {
  readonly #options: BacklogOptions;
  readonly #knowledge: QueueKnowledge;
  readonly #claimed = new Map<string, Claimed[]>();
  #claimedCount = 0;
  #isClaiming = false;
  #isClaimDue = false;
  #isClosed = false;
  #freed: { at: number; count: number } = { at: 0, count: 0 };

  constructor(options: BacklogOptions) {
    this.#options = options;
    this.#knowledge = new QueueKnowledge(options.pool);
  }

  /** B1. */
  hasRoomAtOnce(head: Head): boolean {
    const free = this.#options.pool.freeSlotsFor(head);
    return free > 0 && this.#knowledge.sparesOneOf(free, this.#claimedCount);
  }

  /** A turn under way leaves its task to the queue. */
  willQueue(): void {
    this.#knowledge.willQueue();
  }

  /** That turn was committed, with the task at this head; or, with null, it was not. */
  wasQueued(head: Head | null): void {
    this.#knowledge.wasQueued(head);
    if (head !== null) this.claimSoon();
  }

  /** Something may be in the queue now that this node did not put there. */
  noteUnknown(): void {
    this.#knowledge.news();
    this.claimSoon();
  }

  /** The poll that finds what a lost hint did not tell. */
  lookAgain(): void {
    this.#knowledge.doubt();
    this.claimSoon();
  }

  slotFreed(): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#freed.at > prefetchWindowMs) this.#freed = { at: now, count: 0 };
    this.#freed.count += 1;
    if (this.#claimedCount > 0) this.fill();
    this.claimSoon();
  }

  claimSoon(): void {
    if (this.#isClaimDue || this.#isClaiming || this.#isClosed) return;
    this.#isClaimDue = true;
    this.#options.clock.soon(() => {
      this.#isClaimDue = false;
      void this.#claimAll();
    });
  }

  /** Gives claimed tasks the slots there are, the first by priority and age first. */
  fill(): void {
    for (;;) {
      const next = this.#nextPlaceable();
      if (next === null) return;
      this.#forget(next.entry);
      next.entry.actor.isClaimed = false;
      this.#options.assign(next.entry.actor, next.worker);
    }
  }

  /** A claimed task that could be read only now. */
  take(row: TaskRow): void {
    this.#add(row);
    this.fill();
  }

  /** The task is not ready any more: it was cancelled, or its turn placed it. */
  drop(actor: TaskActor): void {
    actor.isClaimed = false;
    for (const entries of this.#claimed.values()) {
      const entry = entries.find((it) => it.actor === actor);
      if (entry !== undefined) return this.#forget(entry);
    }
  }

  /** Gives back what waited in vain. */
  releaseStale(): void {
    const before = this.#options.clock.monotonic() - claimHeldMsMax;
    this.#releaseWhere((entry) => entry.claimedAt < before);
  }

  close(): void {
    this.#isClosed = true;
    this.#releaseWhere(() => true);
  }

  /** Claimed while its own commit was still unresolved: that is resolved now, and leaves it to the queue. */
  giveBack(actor: TaskActor): void {
    actor.isClaimed = false;
    this.#options.release([actor]);
  }

  #releaseWhere(isWanted: (entry: Claimed) => boolean): void {
    const stale = [...this.#claimed.values()].flat().filter(isWanted);
    for (const entry of stale) {
      this.#forget(entry);
      entry.actor.isClaimed = false;
    }
    if (stale.length === 0) return;
    this.#options.release(stale.map(({ actor }) => actor));
    this.#knowledge.news();
  }

  async #claimAll(): Promise<void> {
    if (this.#isClaiming || this.#isClosed) return;
    this.#isClaiming = true;
    let hasMore = false;
    try {
      for (const group of this.#groups()) {
        hasMore = (await this.#claimFor(group)) || hasMore;
      }
    } catch (error) {
      // Nothing is lost: what was not claimed is in the queue, and the next poll asks again.
      this.#options.log.warn("claim failed", { error });
    } finally {
      this.#isClaiming = false;
    }
    this.fill();
    if (hasMore) this.claimSoon();
  }

  /** True: the queue may hold more and there is room for it. */
  async #claimFor(group: Group): Promise<boolean> {
    const heads = group.heads.filter((head) => this.#knowledge.mayHoldMore(head));
    const limit = Math.min(claimTasksMax, group.room - this.#claimedAt(group.heads));
    if (heads.length === 0 || limit <= 0) return false;
    const learn = this.#knowledge.claiming(heads);
    const rows = await this.#options.queue.claim(this.#options.node, heads, limit);
    this.#options.meters.claimed(rows.length);
    for (const row of rows) this.#add(row);
    learn(rows, rows.length < limit);
    this.fill();
    return heads.some((head) => this.#knowledge.mayHoldMore(head));
  }

  /** Workers that serve the same definitions, and how many tasks they have room for. */
  #groups(): Group[] {
    const groups = new Map<string, Group>();
    const prefetch = this.#prefetch();
    for (const worker of this.#options.pool.all()) {
      const free = freeSlots(worker);
      if (free <= 0 && prefetch === 0) continue;
      if (worker.port === null || worker.row.status !== "serving") continue;
      const group = groups.get(worker.headsKey) ?? { heads: worker.heads, room: 0 };
      group.room += free + Math.min(prefetch, worker.row.slots);
      groups.set(worker.headsKey, group);
    }
    return [...groups.values()];
  }

  #prefetch(): number {
    const { at, count } = this.#freed;
    const isRecent = this.#options.clock.monotonic() - at <= prefetchWindowMs;
    // The slot whose freeing asked for this claim is free already and does not count twice.
    return isRecent ? Math.max(0, count - 1) : 0;
  }

  #claimedAt(heads: readonly Head[]): number {
    if (this.#claimedCount === 0) return 0;
    const claimed = heads.flatMap((head) => this.#claimed.get(headKey(head)) ?? []);
    const suspects = claimed.filter(({ actor }) => isSuspect(actor.snapshot.context)).length;
    return claimed.length - Math.min(suspects, suspectsAside);
  }

  #add(row: TaskRow): void {
    const actor = this.#options.takeIn(row);
    if (actor === null) return;
    if (actor.isCommitting) {
      // Its commit was applied and the answer lost: this claim came between that and the next try.
      actor.isClaimed = true;
      return;
    }
    if (actor.snapshot.value !== "ready") return;
    const { namespace, definition } = row;
    const head = { namespace, definition, version: row.version };
    const key = headKey(head);
    const entry: Claimed = { actor, head, key, claimedAt: this.#options.clock.monotonic() };
    actor.isClaimed = true;
    const entries = this.#claimed.get(key) ?? [];
    entries.push(entry);
    if (entries.length > 1 && comesBefore(entry, entries[entries.length - 2])) {
      entries.sort((a, b) => (comesBefore(a, b) ? -1 : 1));
    }
    this.#claimed.set(key, entries);
    this.#claimedCount += 1;
  }

  #nextPlaceable(): { entry: Claimed; worker: WorkerActor } | null {
    let best: { entry: Claimed; worker: WorkerActor } | null = null;
    for (const entries of this.#claimed.values()) {
      for (const entry of entries) {
        if (best !== null && !comesBefore(entry, best.entry)) break;
        const isSuspected = isSuspect(entry.actor.snapshot.context);
        const worker = this.#options.pool.pick(entry.head, isSuspected);
        if (worker !== null) {
          best = { entry, worker };
          break;
        }
        // A suspect may have to wait for a worker without one while the tasks behind it need not.
        if (!isSuspected) break;
      }
    }
    return best;
  }

  #forget(entry: Claimed): void {
    const entries = this.#claimed.get(entry.key) ?? [];
    const index = entries.indexOf(entry);
    if (index < 0) return;
    entries.splice(index, 1);
    if (entries.length === 0) this.#claimed.delete(entry.key);
    this.#claimedCount -= 1;
  }
}

interface Claimed {
  readonly actor: TaskActor;
  readonly head: Head;
  readonly key: string;
  readonly claimedAt: number;
}

interface Group {
  readonly heads: readonly Head[];
  room: number;
}

function comesBefore(a: Claimed, b: Claimed | undefined): boolean {
  if (b === undefined) return true;
  const priority = a.actor.identity.priority - b.actor.identity.priority;
  return priority < 0 || (priority === 0 && a.actor.identity.id < b.actor.identity.id);
}
