import type { Clock } from "../ports/clock.ts";
import type { Store } from "../store/store.ts";

export interface RetentionOptions {
  readonly store: Pick<Store, "tasks" | "workers" | "mail">;
  readonly clock: Clock;
  /** How long what has ended is kept. */
  readonly keptMs: number;
}

const rootsFirst = 50;
const rootsMax = 500;
const workersAtOnce = 500;
/** Longer than this a portion keeps others waiting, for locks and for the connection. */
const portionMsMax = 500;
const portionMsMin = 100;

/**
 * Deletes what ended long ago, a portion at a time. A root may have ten thousand tasks under it, or
 * none: how many make a portion is learned from how long the last one took. Between two portions it
 * rests for as long as that: the database has other things to do.
 */
export class Retention {
  readonly #options: RetentionOptions;
  #roots = rootsFirst;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  /** For how long to rest before more is deleted, or null: there is no more. */
  async deleteSome(): Promise<number | null> {
    const { store, clock, keptMs } = this.#options;
    const before = clock.now() - keptMs;
    const roots = this.#roots;
    const beganAt = clock.monotonic();
    // Should it not come to an end, the next portion is a smaller one.
    this.#roots = Math.ceil(roots / 2);
    const deleted = await store.tasks.deleteEnded(before, roots);
    this.#roots = this.#next(roots, clock.monotonic() - beganAt);
    await store.workers.deleteEnded(before, workersAtOnce);
    await store.mail.deleteOrphans();
    return deleted === roots ? clock.monotonic() - beganAt : null;
  }

  #next(roots: number, tookMs: number): number {
    if (tookMs > portionMsMax) return Math.ceil(roots / 2);
    return tookMs < portionMsMin ? Math.min(roots * 2, rootsMax) : roots;
  }
}
