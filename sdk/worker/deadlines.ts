import { KantokuError } from "../errors.ts";
import type { Clock } from "../time/clock.ts";
import type { Attempt } from "./attempt.ts";

/**
 * The engine ends an attempt at its deadline, and a report of ours that came first would say
 * "failed" where "timed out" is true. So the worker waits this long before it acts by itself.
 */
export const deadlineSlackMs = 2_000;

/**
 * Aborts attempts whose deadline has passed even when the server is out of reach. One timer for
 * all, armed for the earliest: thousands of attempts with a deadline cost one timer.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #dueAt = new Map<Attempt, number>();
  #armedAt = Number.POSITIVE_INFINITY;
  #disarm: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `deadlineAt` is the database's time: it counts only where the server does not say what is left. */
  watch(attempt: Attempt, deadlineAt: number): void {
    const { deadlineInMs } = attempt.assignment;
    const endsAt = deadlineInMs === undefined ? deadlineAt : this.#clock.now() + deadlineInMs;
    const dueAt = endsAt + deadlineSlackMs;
    this.#dueAt.set(attempt, dueAt);
    if (dueAt < this.#armedAt) this.#arm(dueAt);
  }

  // The timer stays armed: it finds nothing due and arms itself for what is left.
  forget(attempt: Attempt): void {
    if (this.#dueAt.delete(attempt) && this.#dueAt.size === 0) this.stop();
  }

  stop(): void {
    this.#disarm();
    this.#armedAt = Number.POSITIVE_INFINITY;
    this.#dueAt.clear();
  }

  #arm(at: number): void {
    this.#disarm();
    this.#armedAt = at;
    this.#disarm = this.#clock.after(Math.max(0, at - this.#clock.now()), () => this.#fire());
  }

  #fire(): void {
    this.#armedAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    let nextAt = Number.POSITIVE_INFINITY;
    for (const [attempt, dueAt] of this.#dueAt) {
      if (dueAt > now) {
        nextAt = Math.min(nextAt, dueAt);
        continue;
      }
      this.#dueAt.delete(attempt);
      attempt.abort(overdue(attempt));
    }
    if (nextAt < Number.POSITIVE_INFINITY) this.#arm(nextAt);
  }
}

function overdue({ assignment }: Attempt): KantokuError {
  return new KantokuError(
    "deadline-exceeded",
    `attempt ${assignment.attempt} of task ${assignment.task} passed its deadline`,
    { data: { task: assignment.task, deadlineAt: assignment.deadlineAt } },
  );
}
