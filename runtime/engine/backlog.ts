import { isSuspect } from "../machines/task.machine.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { TaskRow } from "../store/rows.ts";
import type { Head, QueueStore } from "../store/store.ts";
import type { Pool } from "./pool.ts";
import type { TaskActor } from "./task-actor.ts";
import { freeSlots, headKey, type WorkerActor } from "./worker-actor.ts";

const claimTasksMax = 500;
/** Slots that were freed this recently will be free again by the time a claim returns. */
const prefetchWindowMs = 20;
/** A claimed task that found no slot goes back: another node may have one. */
const claimHeldMsMax = 1_000;

export interface BacklogOptions {
  readonly node: string;
  readonly queue: QueueStore;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly log: Log;
  /** Brings a claimed row into memory. */
  adopt(row: TaskRow): TaskActor;
  /** Reserves a slot of the worker for a claimed task. */
  assign(actor: TaskActor, worker: WorkerActor): void;
  release(actors: readonly TaskActor[]): void;
}

/**
 * What is ready and has no slot: the queue in the store, and the few tasks claimed from it that
 * wait in memory for a slot that is about to be free.
 *
 * B1. A head is `quiet` only when a claim came back short and nothing was queued there meanwhile.
 * B2. A fresh task takes a slot at once only at a quiet head with nothing claimed: age and priority
 *     go before arrival.
 */
export class Backlog {
  readonly #options: BacklogOptions;
  /** Heads with nothing in the queue, as far as this node knows. */
  readonly #quiet = new Set<string>();
  readonly #claimed = new Map<string, Claimed[]>();
  #claimedCount = 0;
  #queuedSince = 0;
  #isClaiming = false;
  #isClaimDue = false;
  #isClosed = false;
  #freed: { at: number; count: number } = { at: 0, count: 0 };

  constructor(options: BacklogOptions) {
    this.#options = options;
  }

  /** B2. */
  isClear(head: Head): boolean {
    const key = headKey(head);
    return this.#quiet.has(key) && !this.#claimed.has(key);
  }

  /** A task is about to stand in the queue, or stands there: the head is not quiet any more. */
  noteQueued(head: Head): void {
    this.#queuedSince += 1;
    this.#quiet.delete(headKey(head));
  }

  /** Something may be in the queue now that this node did not put there. */
  noteUnknown(): void {
    this.#queuedSince += 1;
    this.#quiet.clear();
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

  #releaseWhere(isWanted: (entry: Claimed) => boolean): void {
    const stale = [...this.#claimed.values()].flat().filter(isWanted);
    for (const entry of stale) {
      this.#forget(entry);
      entry.actor.isClaimed = false;
      this.noteQueued(entry.head);
    }
    if (stale.length > 0) this.#options.release(stale.map(({ actor }) => actor));
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
    const heads = group.heads.filter((head) => !this.#quiet.has(headKey(head)));
    const limit = Math.min(claimTasksMax, group.room - this.#claimedAt(group.heads));
    if (heads.length === 0 || limit <= 0) return false;
    const queuedBefore = this.#queuedSince;
    const rows = await this.#options.queue.claim(this.#options.node, heads, limit);
    for (const row of rows) this.#add(row);
    const isShort = rows.length < limit;
    if (isShort && queuedBefore === this.#queuedSince) {
      for (const head of heads) this.#quiet.add(headKey(head));
    }
    this.fill();
    return !isShort || queuedBefore !== this.#queuedSince;
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
    return heads.reduce((sum, head) => sum + (this.#claimed.get(headKey(head))?.length ?? 0), 0);
  }

  #add(row: TaskRow): void {
    const actor = this.#options.adopt(row);
    if (actor.isCommitting || actor.snapshot.value !== "ready") return;
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
