import { isSuspect } from "../machines/task.context.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Meters } from "../ports/meters.ts";
import type { TaskRow } from "../store/rows.ts";
import type { Head, QueueStore } from "../store/store.ts";
import { ClaimedTasks } from "./claimed-tasks.ts";
import { OwnQueue } from "./own-queue.ts";
import type { Pool } from "./pool.ts";
import { QueueKnowledge } from "./queue-knowledge.ts";
import type { TaskActor } from "./task-actor.ts";
import { freeSlots, type WorkerActor } from "./worker-actor.ts";

const claimTasksMax = 500;
/** Slots that were freed this recently will be free again by the time a claim returns. */
const prefetchWindowMs = 20;
/** A claimed task that found no slot goes back: another node may have one. */
const claimHeldMsMax = 1_000;
/** So long after a mistake: whoever else takes from the queue is probably at it still. */
const mistrustMs = 2_000;

interface BacklogOptions {
  readonly node: string;
  readonly queue: QueueStore;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly log: Log;
  readonly meters: Meters;
  /** Brings a claimed row into memory; null: it cannot be read. */
  takeIn(row: TaskRow): TaskActor | null;
  /** Whether the task is in memory: taken up, or in a turn that is not answered yet. */
  isHere(task: string): boolean;
  /** Reserves a slot of the worker for a claimed task. */
  assign(actor: TaskActor, worker: WorkerActor): void;
  /** The same for one that nobody has claimed. */
  takeUp(actor: TaskActor, worker: WorkerActor): void;
  release(actors: readonly TaskActor[]): void;
}

/**
 * What is ready and has no slot: the queue in the store, and the few tasks claimed from it that
 * wait in memory for a slot that is about to be free. While all that is there was left there by this
 * node, no claim is needed (see OwnQueue).
 *
 * B1. A fresh task takes a slot at once only when every task that stands before it has one, too:
 *     age and priority go before arrival.
 * B2. What was claimed and finds no slot goes back within about a second: another node may have one.
 */
export class Backlog {
  readonly #options: BacklogOptions;
  readonly #knowledge: QueueKnowledge;
  readonly #own = new OwnQueue();
  readonly #claimed: ClaimedTasks;
  #isClaiming = false;
  #isClaimDue = false;
  #isClosed = false;
  #freed: { at: number; count: number } = { at: 0, count: 0 };
  #mistrustedUntil = 0;

  constructor(options: BacklogOptions) {
    this.#options = options;
    this.#knowledge = new QueueKnowledge(options.pool);
    this.#claimed = new ClaimedTasks(options);
  }

  /** B1. */
  hasRoomAtOnce(head: Head): boolean {
    const free = this.#options.pool.freeSlotsFor(head);
    return free > 0 && this.#knowledge.sparesOneOf(free, this.#claimed.size + this.#own.size);
  }

  /** A turn under way leaves its task to the queue. */
  willQueue(): void {
    this.#knowledge.willQueue();
  }

  /** That turn was committed, with the task at this head. */
  wasQueued(head: Head, actor: TaskActor): void {
    if (this.#remembers(head, actor)) this.#knowledge.willNotStand();
    else this.#knowledge.stands(head);
    this.claimSoon();
  }

  /** That turn was not committed. */
  wasNotQueued(): void {
    this.#knowledge.willNotStand();
  }

  /** Something may be in the queue now that this node did not put there. */
  noteUnknown(): void {
    this.#news();
    this.claimSoon();
  }

  /** A task was not in the queue any more, or is claimed like others from now on. */
  mistook(): void {
    this.#mistrustedUntil = this.#options.clock.monotonic() + mistrustMs;
    this.noteUnknown();
  }

  /** Somebody here owns the task now who did not claim it. */
  tookOver(row: TaskRow): void {
    this.#own.drop(row);
  }

  /** The poll that finds what a lost hint did not tell. */
  lookAgain(): void {
    const served = new Set(this.#options.pool.servedKeys());
    this.#own.keepOnly(served);
    this.#knowledge.keepOnly(served);
    this.#knowledge.doubt();
    this.claimSoon();
  }

  slotFreed(): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#freed.at > prefetchWindowMs) this.#freed = { at: now, count: 0 };
    this.#freed.count += 1;
    if (this.#claimed.size > 0) this.fill();
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
    for (let next = this.#claimed.takeNext(); next !== null; next = this.#claimed.takeNext()) {
      this.#options.assign(next.actor, next.worker);
    }
  }

  /** A claimed task that could be read only now. */
  take(row: TaskRow): void {
    this.#add(row);
    this.fill();
  }

  /** The task is not ready any more: it was cancelled, or its turn placed it. */
  drop(actor: TaskActor): void {
    this.#claimed.drop(actor);
  }

  /** Gives back what waited in vain. */
  releaseStale(): void {
    this.#releaseOlder(claimHeldMsMax);
  }

  close(): void {
    this.#isClosed = true;
    this.#releaseOlder(Number.NEGATIVE_INFINITY);
  }

  /** It was claimed before the commit that queued it was answered, as that commit left it. */
  hold(actor: TaskActor): void {
    this.#knowledge.willNotStand();
    actor.state = { ...actor.state, owner: this.#options.node };
    this.#claimed.add(actor);
    this.fill();
  }

  /** It was claimed, and its commit leaves nothing to be claimed. */
  giveBack(actor: TaskActor): void {
    actor.isClaimed = false;
    this.#options.release([actor]);
  }

  #releaseOlder(waitedMs: number): void {
    const stale = this.#claimed.takeOlder(waitedMs);
    if (stale.length === 0) return;
    this.#options.release(stale);
    this.#news();
  }

  #remembers(head: Head, actor: TaskActor): boolean {
    const isTrusted = this.#options.clock.monotonic() >= this.#mistrustedUntil;
    if (!isTrusted || isSuspect(actor.snapshot.context)) return false;
    return this.#options.pool.isServed(head) && this.#own.add(head, actor);
  }

  /** A claim found nothing more there: what is remembered is somebody else's, or stands like others. */
  #doubtRemembered(heads: readonly Head[]): void {
    for (let first = this.#own.first(heads); first !== null; first = this.#own.first(heads)) {
      this.#own.drop(first.actor.identity);
      this.#knowledge.mayStand(first.head);
    }
  }

  #news(): void {
    this.#knowledge.news();
    this.#own.clear();
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
    const heads = group.heads.filter((head) => this.#mayHoldMore(head));
    const limit = Math.min(claimTasksMax, group.room - this.#claimed.wantedAt(group.heads));
    if (heads.length === 0 || limit <= 0) return false;
    const isAllOwn = this.#knowledge.isNothing;
    if (isAllOwn && !heads.some((head) => this.#knowledge.isDoubted(head))) {
      this.#fillFromOwn(heads);
      return false;
    }
    const learn = this.#knowledge.claiming(heads);
    // Of what is remembered the first one shows whether anything else stands before it.
    const wanted = isAllOwn && this.#own.size > 0 ? 1 : limit;
    const rows = await this.#options.queue.claim(this.#options.node, heads, wanted);
    this.#options.meters.claimed(rows.length);
    const others = rows.filter((row) => !this.#own.drop(row));
    const strangers = others.filter(({ id }) => !this.#options.isHere(id));
    learn(strangers, rows.length < wanted);
    if (isAllOwn && strangers.length > 0) this.#news();
    if (!isAllOwn && rows.length < wanted) this.#doubtRemembered(heads);
    for (const row of rows) this.#add(row);
    this.fill();
    return heads.some((head) => this.#mayHoldMore(head));
  }

  #mayHoldMore(head: Head): boolean {
    return this.#knowledge.mayHoldMore(head) || this.#own.hasAt(head);
  }

  /** Gives what this node has queued itself the slots there are, as long as that is all there is. */
  #fillFromOwn(heads: readonly Head[]): void {
    for (;;) {
      const first = this.#own.first(heads);
      const worker = first === null ? null : this.#options.pool.pick(first.head, false);
      if (first === null || worker === null) return;
      this.#own.drop(first.actor.identity);
      this.#options.takeUp(first.actor, worker);
    }
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

  #add(row: TaskRow): void {
    const actor = this.#options.takeIn(row);
    if (actor === null) return;
    // Its commit is applied and not answered yet: see `hold`.
    if (actor.isCommitting) actor.isClaimed = true;
    else if (actor.snapshot.value === "ready" && !hasSlot(actor)) this.#claimed.add(actor);
  }
}

/** It was taken up, and waits for the turn that gives it to its worker. */
function hasSlot({ mailbox }: TaskActor): boolean {
  return mailbox.some(({ type }) => type === "assign");
}

interface Group {
  readonly heads: readonly Head[];
  room: number;
}
