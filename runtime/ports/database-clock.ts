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

  /** `askedAt`: the base clock's time before the question, to halve the round trip. */
  correct(databaseNow: number, askedAt: number): void {
    const answeredAt = this.#base.now();
    this.#offsetMs = databaseNow - (askedAt + answeredAt) / 2;
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
