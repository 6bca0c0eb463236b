import type { Clock } from "../../gateway/clock.ts";

/** A clock that a test turns by hand, beat by beat as a real one would. */
export class HandClock implements Clock {
  #now = 0;
  readonly #beats = new Set<{
    readonly everyMs: number;
    readonly beat: () => void;
    dueAt: number;
  }>();

  monotonic(): number {
    return this.#now;
  }

  every(everyMs: number, beat: () => void): () => void {
    const entry = { everyMs, beat, dueAt: this.#now + everyMs };
    this.#beats.add(entry);
    return () => this.#beats.delete(entry);
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = [...this.#beats].sort((a, b) => a.dueAt - b.dueAt)[0];
      if (next === undefined || next.dueAt > end) break;
      this.#now = next.dueAt;
      next.dueAt += next.everyMs;
      next.beat();
    }
    this.#now = end;
  }

  /** Time passes while the process stands still: each beat that was due comes once, late. */
  stall(ms: number): void {
    this.#now += ms;
    for (const entry of this.#beats) {
      entry.dueAt = this.#now + entry.everyMs;
      entry.beat();
    }
  }
}
