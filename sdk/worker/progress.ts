import type { Service } from "../protocol/service.ts";
import type { Clock } from "../time/clock.ts";
import { encodePayload } from "../values/payload.ts";

const intervalMs = 100;

/**
 * Reports of one attempt: the first at once, then at most one per interval and none before the last
 * was answered, or an outage would put a queue of them in front of what matters. The latest value
 * is always sent.
 */
export class Progress {
  readonly #token: string;
  readonly #service: Service;
  readonly #clock: Clock;
  #sentAt = Number.NEGATIVE_INFINITY;
  #unansweredCount = 0;
  #latest: { readonly value: unknown } | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(token: string, { service, clock }: { service: Service; clock: Clock }) {
    this.#token = token;
    this.#service = service;
    this.#clock = clock;
  }

  /** @throws KantokuError for a value that JSON cannot carry */
  report(value: unknown): void {
    // Kept as what it is now: the author may go on changing the object.
    this.#latest = { value: JSON.parse(encodePayload(value, { at: "progress" })) };
    this.#sendWhenDue();
  }

  /** At the end of the attempt there is no later: nobody takes a report after the outcome. */
  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#latest) this.#send(this.#latest.value);
  }

  #sendWhenDue(): void {
    if (!this.#latest || this.#unansweredCount > 0 || this.#cancelTimer) return;
    const dueInMs = this.#sentAt + intervalMs - this.#clock.now();
    if (dueInMs <= 0) this.#send(this.#latest.value);
    else this.#cancelTimer = this.#clock.after(dueInMs, () => this.flush());
  }

  #send(progress: unknown): void {
    this.#latest = undefined;
    this.#sentAt = this.#clock.now();
    this.#unansweredCount += 1;
    const settled = () => {
      this.#unansweredCount -= 1;
      this.#sendWhenDue();
    };
    // Live only: a report that is lost is replaced by the next one.
    this.#service.progress({ token: this.#token, progress }).then(settled, settled);
  }
}
