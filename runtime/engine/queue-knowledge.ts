import type { Head } from "../store/store.ts";
import type { Pool } from "./pool.ts";
import { headKey } from "./worker-actor.ts";

/**
 * What this node knows of the queue at the heads it serves, beside what it remembers one by one
 * (OwnQueue): how many tasks stand there at most, or that it cannot know. A fresh task may take a
 * free slot at once only when there are slots for all that stand before it.
 *
 * Q1. A head is known from the moment a claim came back short: then only what this node queued
 *     since that claim began can stand there.
 * Q2. News from elsewhere (another node, a reaper, a fresh worker) makes heads unknown again.
 */
export class QueueKnowledge {
  readonly #pool: Pool;
  readonly #unknown = new Set<string>();
  /** Known as far as anybody told, and to be looked at all the same: hints can be lost. */
  readonly #doubted = new Set<string>();
  readonly #standing = new Map<string, number>();
  #standingTotal = 0;
  /** Turns that queue their task and are not committed yet. */
  #underway = 0;
  #newsCount = 0;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** There is nothing but what is remembered. */
  get isNothing(): boolean {
    return this.#unknown.size === 0 && this.#standingTotal === 0;
  }

  /** Whether this many free slots are more than those who stand before a fresh task need. */
  sparesOneOf(freeSlots: number, remembered: number): boolean {
    const standing = this.#standingTotal + this.#underway + remembered;
    return this.#unknown.size === 0 && freeSlots > standing;
  }

  mayHoldMore(head: Head): boolean {
    const key = headKey(head);
    return this.#unknown.has(key) || this.#doubted.has(key) || this.#standing.has(key);
  }

  willQueue(): void {
    this.#underway += 1;
  }

  /** The turn is resolved: its task is remembered, or does not stand in the queue. */
  willNotStand(): void {
    this.#underway -= 1;
  }

  /** The turn was committed, and the task stands in the queue. */
  stands(head: Head): void {
    this.#underway -= 1;
    this.mayStand(head);
  }

  /** One more, perhaps: the next claim that comes back short says no. */
  mayStand(head: Head): void {
    if (this.#pool.isServed(head)) this.#add(headKey(head), 1);
  }

  /** Q2. */
  news(): void {
    this.#newsCount += 1;
    this.#unknown.clear();
    this.#standing.clear();
    this.#standingTotal = 0;
    for (const key of this.#pool.servedKeys()) this.#unknown.add(key);
  }

  /** What nobody here serves any more stands before nobody. */
  keepOnly(served: ReadonlySet<string>): void {
    for (const [key, count] of this.#standing) if (!served.has(key)) this.#add(key, -count);
  }

  /** The next claim looks everywhere; until then what is known counts. */
  doubt(): void {
    for (const key of this.#pool.servedKeys()) this.#doubted.add(key);
  }

  isDoubted(head: Head): boolean {
    return this.#doubted.has(headKey(head));
  }

  /** Call before a claim; give it what came back. */
  claiming(heads: readonly Head[]): (came: readonly Head[], isShort: boolean) => void {
    const newsBefore = this.#newsCount;
    const before = heads.map((head) => this.#standing.get(headKey(head)) ?? 0);
    return (came, isShort) => {
      if (newsBefore !== this.#newsCount) return;
      for (const head of heads) this.#doubted.delete(headKey(head));
      if (!isShort) {
        for (const head of came) this.#add(headKey(head), -1);
        return;
      }
      for (const [index, head] of heads.entries()) {
        this.#unknown.delete(headKey(head));
        this.#add(headKey(head), -(before[index] ?? 0));
      }
    };
  }

  #add(key: string, count: number): void {
    const before = this.#standing.get(key) ?? 0;
    const after = Math.max(0, before + count);
    this.#standingTotal += after - before;
    if (after === 0) this.#standing.delete(key);
    else this.#standing.set(key, after);
  }
}
