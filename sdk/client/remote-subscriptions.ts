import { isKantokuError } from "../errors.ts";
import type { Subscriber, Subscription } from "../protocol/service.ts";
import type { TaskRef } from "../protocol/task.ts";
import { backoffMs } from "../time/backoff.ts";
import type { Clock } from "../time/clock.ts";
import { newId } from "../values/id.ts";
import type { Connection } from "./connection.ts";

type Params = Readonly<Record<string, unknown>>;
type Reopen = (feed: RemoteFeed) => void;

interface Parts {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Subscriptions that outlive their sockets: each goes on after the last seq it saw. */
export class RemoteSubscriptions {
  readonly #parts: Parts;
  readonly #feeds = new Set<RemoteFeed>();
  readonly #feedById = new Map<string, RemoteFeed>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async subscribe(
    params: TaskRef & { readonly after?: number },
    subscriber: Subscriber,
  ): Promise<Subscription> {
    const feed = new RemoteFeed(params, subscriber, (again) => this.#reopenLater(again));
    this.#feeds.add(feed);
    try {
      await this.#open(feed);
    } catch (thrown) {
      this.#forget(feed);
      throw thrown;
    }
    return { id: newId(), close: () => this.#close(feed) };
  }

  /** All sockets before this one are gone, and their subscriptions with them. */
  reopenAll(): void {
    this.#feedById.clear();
    for (const feed of this.#feeds) {
      feed.remoteId = undefined;
      if (!feed.isOpening) void this.#reopen(feed);
    }
  }

  event(params: Params): void {
    this.#find(params)?.event(params);
  }

  progress(params: Params): void {
    this.#find(params)?.progress(params);
  }

  end(params: Params): void {
    const feed = this.#find(params);
    if (!feed) return;
    const { reason } = params as { reason?: unknown };
    if (reason === "ended" || reason === "deleted") this.#finish(feed, reason);
    else if (reason === "lagged") void this.#reopen(feed);
    // `shutdown`: the socket goes too, and the next one reopens what is left.
  }

  closeAll(): void {
    for (const feed of this.#feeds) this.#finish(feed, "shutdown");
  }

  async #open(feed: RemoteFeed): Promise<void> {
    feed.isOpening = true;
    try {
      await this.#parts.connection.call("task.subscribe", feed.params, {
        isFirst: true,
        // Before the next message of the frame, which may be the first event.
        onResult: (result) => this.#opened(feed, result),
      });
    } finally {
      feed.isOpening = false;
    }
  }

  #opened(feed: RemoteFeed, result: unknown): void {
    const { subscription } = result as { subscription: string };
    if (!this.#feeds.has(feed)) {
      this.#unsubscribe(subscription);
      return;
    }
    feed.remoteId = subscription;
    feed.failures = 0;
    this.#feedById.set(subscription, feed);
  }

  async #reopen(feed: RemoteFeed): Promise<void> {
    this.#disconnect(feed);
    try {
      await this.#open(feed);
    } catch (thrown) {
      if (isKantokuError(thrown, "not-found")) this.#finish(feed, "deleted");
      else if (isKantokuError(thrown) && thrown.retryable) this.#reopenLater(feed);
      // The reader subscribes anew, and gets the reason as an error.
      else this.#finish(feed, "shutdown");
    }
  }

  #reopenLater(feed: RemoteFeed): void {
    this.#disconnect(feed);
    const { clock, random } = this.#parts;
    clock.after(backoffMs(feed.failures, random), () => {
      if (this.#feeds.has(feed) && !feed.isOpening && feed.remoteId === undefined) {
        void this.#reopen(feed);
      }
    });
    feed.failures += 1;
  }

  #find({ subscription }: Params & { readonly subscription?: unknown }): RemoteFeed | undefined {
    return typeof subscription === "string" ? this.#feedById.get(subscription) : undefined;
  }

  #finish(feed: RemoteFeed, reason: "ended" | "deleted" | "shutdown"): void {
    if (!this.#feeds.has(feed)) return;
    this.#forget(feed);
    feed.subscriber.end(reason);
  }

  #close(feed: RemoteFeed): void {
    if (!this.#feeds.has(feed)) return;
    const { remoteId } = feed;
    this.#forget(feed);
    if (remoteId !== undefined) this.#unsubscribe(remoteId);
  }

  #unsubscribe(subscription: string): void {
    // Unheard, it dies with its socket.
    this.#parts.connection.call("task.unsubscribe", { subscription }).catch(() => undefined);
  }

  #forget(feed: RemoteFeed): void {
    this.#feeds.delete(feed);
    this.#disconnect(feed);
  }

  #disconnect(feed: RemoteFeed): void {
    if (feed.remoteId !== undefined) this.#feedById.delete(feed.remoteId);
    feed.remoteId = undefined;
  }
}

class RemoteFeed {
  readonly subscriber: Subscriber;
  remoteId: string | undefined;
  isOpening = false;
  failures = 0;
  readonly #ref: TaskRef;
  readonly #reopen: Reopen;
  #seen: number;

  constructor(
    { after = 0, ...ref }: TaskRef & { readonly after?: number },
    subscriber: Subscriber,
    reopen: Reopen,
  ) {
    this.#ref = ref;
    this.#seen = after;
    this.subscriber = subscriber;
    this.#reopen = reopen;
  }

  get params(): TaskRef & { readonly after: number } {
    return { ...this.#ref, after: this.#seen };
  }

  event(params: Params): void {
    const { task, seq, type, at, data } = params as Params & Parameters<Subscriber["event"]>[0];
    if (typeof seq !== "number" || seq <= this.#seen) return;
    // A journal has no gaps, so something was lost on the way: read it again.
    if (seq > this.#seen + 1) {
      this.#reopen(this);
      return;
    }
    this.#seen = seq;
    this.subscriber.event({ task, seq, type, at, data });
  }

  progress(params: Params): void {
    const { task, progress } = params as Params & Parameters<Subscriber["progress"]>[0];
    this.subscriber.progress({ task, progress });
  }
}
