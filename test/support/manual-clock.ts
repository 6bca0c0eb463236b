import type { Clock } from "../../sdk/time/clock.ts";

/** Time that stands still until it is advanced. */
export class ManualClock implements Clock {
  #now = 1_000_000;
  readonly #timers = new Map<number, { readonly at: number; readonly act: () => void }>();
  #lastId = 0;

  get timerCount(): number {
    return this.#timers.size;
  }

  /** Infinity when nothing is to come. */
  get nextDueInMs(): number {
    return Math.min(...Array.from(this.#timers.values(), ({ at }) => at - this.#now));
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, act: () => void): () => void {
    const id = ++this.#lastId;
    this.#timers.set(id, { at: this.#now + ms, act });
    return () => void this.#timers.delete(id);
  }

  /** Fires what falls due on the way, in order, and lets promises settle in between. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settle();
    for (;;) {
      const due = this.#next(until);
      if (!due) break;
      this.#timers.delete(due.id);
      this.#now = Math.max(this.#now, due.at);
      due.act();
      await settle();
    }
    this.#now = until;
  }

  #next(until: number) {
    return Array.from(this.#timers, ([id, timer]) => ({ id, ...timer }))
      .filter(({ at }) => at <= until)
      .sort((one, other) => one.at - other.at || one.id - other.id)
      .at(0);
  }
}

/** Resolves when all promises that can settle without an outside event have done so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
