import type { Service } from "../protocol/service.ts";
import type { Clock } from "../time/clock.ts";
import { encodePayload } from "../values/payload.ts";

const intervalMs = 100;

/** Reports of one attempt: the first at once, then at most one per interval, the last value always. */
export class Progress {
  readonly #token: string;
  readonly #service: Service;
  readonly #clock: Clock;
  #sentAt = Number.NEGATIVE_INFINITY;
  #waiting: { value: unknown; cancel: () => void } | undefined;

  constructor(token: string, { service, clock }: { service: Service; clock: Clock }) {
    this.#token = token;
    this.#service = service;
    this.#clock = clock;
  }

  /** @throws KantokuError for a value that JSON cannot carry */
  report(value: unknown): void {
    // Kept as what it is now: the author may go on changing the object.
    const kept: unknown = JSON.parse(encodePayload(value, { at: "progress" }));
    if (this.#waiting) {
      this.#waiting.value = kept;
      return;
    }
    const dueInMs = this.#sentAt + intervalMs - this.#clock.now();
    if (dueInMs <= 0) {
      this.#send(kept);
      return;
    }
    this.#waiting = { value: kept, cancel: this.#clock.after(dueInMs, () => this.flush()) };
  }

  flush(): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    waiting.cancel();
    this.#waiting = undefined;
    this.#send(waiting.value);
  }

  #send(progress: unknown): void {
    this.#sentAt = this.#clock.now();
    // Live only: a report that is lost is replaced by the next one.
    this.#service.progress({ token: this.#token, progress }).catch(() => undefined);
  }
}
