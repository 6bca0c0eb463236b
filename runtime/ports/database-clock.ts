import type { Clock } from "./clock.ts";

/**
 * The database's clock as this node knows it: its own, corrected at each renewal of the lease. Good
 * for stamping events and drawing delays; whether something is due or expired the database decides.
 */
export class DatabaseClock implements Clock {
  readonly #base: Clock;
  #offsetMs = 0;

  constructor(base: Clock) {
    this.#base = base;
  }

  /**
   * `askedAt`: the base clock's time before the question. The database looked at its clock somewhere
   * between that and now: what is known stands unless it cannot be so, for of a question that took
   * seconds nobody knows on which of its ways they were lost. Where the base clock was set back
   * meanwhile, only what it says now counts.
   */
  correct(databaseNow: number, askedAt: number): void {
    const [least, most] = [databaseNow - this.#base.now(), databaseNow - askedAt];
    this.#offsetMs = Math.max(least, Math.min(most, this.#offsetMs));
  }

  now(): number {
    return Math.round(this.#base.now() + this.#offsetMs);
  }

  monotonic(): number {
    return this.#base.monotonic();
  }

  after(delayMs: number, callback: () => void): () => void {
    return this.#base.after(delayMs, callback);
  }

  soon(callback: () => void): void {
    this.#base.soon(callback);
  }
}
