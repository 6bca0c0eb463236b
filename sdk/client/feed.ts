import type { Subscriber, Subscription } from "../protocol/service.ts";
import type { JournalEvent } from "../protocol/task.ts";

/** Why a feed gives no more: the subscription's own reasons, `behind` its reader, `abandoned` by it. */
export type FeedEnd = Parameters<Subscriber["end"]>[0] | "behind" | "abandoned";

// A reader that is this far behind is cut off from the source, and subscribes again when it has
// caught up: memory stays flat however slow it is.
const behindMax = 1000;

/** One subscription's events, held until they are read. */
export class Feed implements Subscriber {
  ending: FeedEnd | undefined;
  /** The seq of the last event that was read. */
  seen: number;
  readonly #onProgress: ((progress: unknown) => void) | undefined;
  #received: number;
  #held: JournalEvent[] = [];
  #wake: () => void = () => undefined;

  constructor(after: number, onProgress: ((progress: unknown) => void) | undefined) {
    this.seen = after;
    this.#received = after;
    this.#onProgress = onProgress;
  }

  event({ seq, type, at, data }: JournalEvent): void {
    if (this.ending !== undefined || seq <= this.#received) return;
    this.#received = seq;
    this.#held.push({ seq, type, at, data });
    if (this.#held.length >= behindMax) this.ending = "behind";
    this.#wake();
  }

  progress({ progress }: { readonly progress: unknown }): void {
    if (this.ending === undefined) this.#onProgress?.(progress);
  }

  end(reason: FeedEnd): void {
    this.ending ??= reason;
    this.#wake();
  }

  /** Every event that was received, however the feed ends; nothing more once it was abandoned. */
  async *read(subscription: Subscription): AsyncGenerator<JournalEvent, void, undefined> {
    try {
      for (;;) {
        const events = this.#held;
        this.#held = [];
        for (const event of events) {
          if (this.ending === "abandoned") return;
          this.seen = event.seq;
          yield event;
        }
        if (this.#held.length > 0) continue;
        if (this.ending !== undefined) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      subscription.close();
    }
  }
}
