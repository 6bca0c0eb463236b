import type { Clock } from "../ports/clock.ts";

/** Farther off than this a platform's timers fire at once, or as if it were nearer: waited for in parts. */
const waitMsMax = 24 * 3_600_000;

/**
 * Deadlines of running attempts and graces of cancelled ones, in the owner's memory: a row for each
 * would double the writes of a task, and the next owner derives them again from the snapshot.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #cancels = new Map<string, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** One deadline a token: a later one replaces it. `now` and `dueAt` are by the database's clock. */
  set(token: string, times: { now: number; dueAt: number }, onDue: () => void): void {
    this.clear(token);
    const waitMs = Math.max(0, times.dueAt - times.now);
    const cancel = this.#clock.after(Math.min(waitMs, waitMsMax), () => {
      this.#cancels.delete(token);
      if (waitMs <= waitMsMax) return onDue();
      this.set(token, { now: this.#clock.now(), dueAt: times.dueAt }, onDue);
    });
    this.#cancels.set(token, cancel);
  }

  clear(token: string): void {
    const cancel = this.#cancels.get(token);
    if (cancel === undefined) return;
    cancel();
    this.#cancels.delete(token);
  }

  clearAll(): void {
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
  }
}
