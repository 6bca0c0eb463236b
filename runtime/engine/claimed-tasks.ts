import { isSuspect } from "../machines/task.context.ts";
import type { Clock } from "../ports/clock.ts";
import type { Head } from "../store/store.ts";
import { comesBefore } from "./own-queue.ts";
import type { Pool } from "./pool.ts";
import type { TaskActor } from "./task-actor.ts";
import { headKey, type WorkerActor } from "./worker-actor.ts";

/** Suspects wait for a worker without one; so many of them do not keep others from a free slot. */
const suspectsAside = 100;

/** Tasks that were claimed and wait in memory for a slot, by head, each in its order. */
export class ClaimedTasks {
  readonly #pool: Pool;
  readonly #clock: Clock;
  readonly #heads = new Map<string, Claimed[]>();
  #size = 0;

  constructor({ pool, clock }: { pool: Pool; clock: Clock }) {
    this.#pool = pool;
    this.#clock = clock;
  }

  get size(): number {
    return this.#size;
  }

  /** How many free slots those at these heads are going to take. */
  wantedAt(heads: readonly Head[]): number {
    if (this.#size === 0) return 0;
    const claimed = heads.flatMap((head) => this.#heads.get(headKey(head)) ?? []);
    const suspects = claimed.filter(({ actor }) => isSuspect(actor.snapshot.context)).length;
    return claimed.length - Math.min(suspects, suspectsAside);
  }

  add(actor: TaskActor): void {
    const { namespace, definition } = actor.identity;
    const head = { namespace, definition, version: actor.state.version };
    const key = headKey(head);
    actor.isClaimed = true;
    const entries = this.#heads.get(key) ?? [];
    const before = entries.at(-1);
    entries.push({ actor, head, key, claimedAt: this.#clock.monotonic() });
    if (before !== undefined && comesBefore(actor, before.actor)) {
      entries.sort((a, b) => (comesBefore(a.actor, b.actor) ? -1 : 1));
    }
    this.#heads.set(key, entries);
    this.#size += 1;
  }

  /** Whether or not it is here. */
  drop(actor: TaskActor): void {
    actor.isClaimed = false;
    for (const entries of this.#heads.values()) {
      const entry = entries.find((it) => it.actor === actor);
      if (entry !== undefined) return this.#take(entry);
    }
  }

  /** The first by priority and age for which some worker has a slot. */
  takeNext(): { readonly actor: TaskActor; readonly worker: WorkerActor } | null {
    let best: { readonly entry: Claimed; readonly worker: WorkerActor } | null = null;
    for (const entries of this.#heads.values()) {
      for (const entry of entries) {
        if (best !== null && !comesBefore(entry.actor, best.entry.actor)) break;
        const isSuspected = isSuspect(entry.actor.snapshot.context);
        const worker = this.#pool.pick(entry.head, isSuspected);
        if (worker !== null) {
          best = { entry, worker };
          break;
        }
        // A suspect may have to wait for a worker without one while the tasks behind it need not.
        if (!isSuspected) break;
      }
    }
    if (best === null) return null;
    this.#take(best.entry);
    return { actor: best.entry.actor, worker: best.worker };
  }

  /** All that have waited for longer. */
  takeOlder(waitedMs: number): TaskActor[] {
    const before = this.#clock.monotonic() - waitedMs;
    const older = [...this.#heads.values()].flat().filter(({ claimedAt }) => claimedAt < before);
    for (const entry of older) this.#take(entry);
    return older.map(({ actor }) => actor);
  }

  #take(entry: Claimed): void {
    entry.actor.isClaimed = false;
    const entries = this.#heads.get(entry.key) ?? [];
    const index = entries.indexOf(entry);
    if (index < 0) return;
    entries.splice(index, 1);
    if (entries.length === 0) this.#heads.delete(entry.key);
    this.#size -= 1;
  }
}

interface Claimed {
  readonly actor: TaskActor;
  readonly head: Head;
  readonly key: string;
  readonly claimedAt: number;
}
