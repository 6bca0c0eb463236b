import type { Service, Subscriber, Subscription } from "../sdk/protocol/service.ts";
import type { JournalEvent, TaskRef } from "../sdk/protocol/task.ts";
import type { Bounds } from "./bounds.ts";
import type { Outbox } from "./outbox.ts";
import { Quota } from "./quota.ts";
import type { SessionCall } from "./session.ts";
import { notification } from "./wire/notification.ts";

type SubscribeParams = TaskRef & { readonly after?: number };

/** The subscriptions of one socket. */
export class Subscriptions {
  readonly #outbox: Outbox;
  readonly #quota: Quota;
  readonly #feeds = new Map<string, Feed>();
  #isClosed = false;

  constructor(outbox: Outbox, bounds: Bounds) {
    this.#outbox = outbox;
    this.#quota = new Quota(bounds.subscriptionsMax, "subscriptions");
  }

  async subscribe(
    service: Service,
    { params, call }: { params: SubscribeParams; call: SessionCall },
  ): Promise<{ readonly subscription: string }> {
    const feed = new Feed(this.#outbox, params.after ?? 0);
    const subscription = await this.#quota.open(this.#feeds.size, () =>
      service.subscribe(params, feed),
    );
    // Nobody would ever learn this subscription's id.
    if (this.#isClosed || !call.isOpen) {
      feed.silence();
      subscription.close();
      return { subscription: subscription.id };
    }
    this.#feeds.set(subscription.id, feed);
    feed.open(subscription, () => this.#feeds.delete(subscription.id));
    call.afterReply(() => feed.start());
    return { subscription: subscription.id };
  }

  /** One that is unknown may have ended a moment ago, so it is no error. */
  unsubscribe(id: string): void {
    this.#feeds.get(id)?.stop();
  }

  endAll(): void {
    for (const feed of this.#feeds.values()) feed.end("shutdown");
  }

  close(): void {
    this.#isClosed = true;
    for (const feed of this.#feeds.values()) feed.stop();
  }
}

type EndReason = "ended" | "deleted" | "shutdown" | "lagged";

interface Kept {
  readonly method: FeedMethod;
  readonly rest: string;
}

/**
 * One subscription's way to the peer. What comes before the reply with its id was sent is kept.
 * Memory for a reader that does not read stays flat, because a feed that does not keep up ends,
 * with the cursor from which the reader can go on.
 */
class Feed implements Subscriber {
  readonly #outbox: Outbox;
  #kept: Kept[] | null = [];
  #cursor: number;
  #subscription: Subscription | null = null;
  #forget: () => void = () => {};
  #ending: EndReason | null = null;
  #isOver = false;

  constructor(outbox: Outbox, after: number) {
    this.#outbox = outbox;
    this.#cursor = after;
  }

  event({ task, seq, type, at, data }: JournalEvent & { readonly task: string }): void {
    if (this.#isOver || this.#ending !== null) return;
    const rest = JSON.stringify({ task, seq, type, at, data, cursor: String(seq) });
    if (this.#offer("task.event", rest)) this.#cursor = seq;
    else this.end("lagged");
  }

  /** Only the latest progress matters, so a reader that is behind goes without. */
  progress(progress: { readonly task: string; readonly progress: unknown }): void {
    if (this.#isOver || this.#ending !== null) return;
    this.#offer("task.progress", JSON.stringify(progress));
  }

  end(reason: EndReason): void {
    if (this.#isOver || this.#ending !== null) return;
    this.#ending = reason;
    if (this.#kept === null) this.#sayEnd(reason);
    // The reply may be long in coming, in a batch: nothing more is read for this feed until then.
    else this.#subscription?.close();
  }

  /** There is such a subscription, of which the peer does not know yet. */
  open(subscription: Subscription, forget: () => void): void {
    this.#subscription = subscription;
    this.#forget = forget;
    if (this.#ending !== null) subscription.close();
  }

  /** The reply with the subscription's id is on its way. */
  start(): void {
    if (this.#isOver) return;
    for (const kept of this.#giveUpKept()) this.#outbox.send(withSubscription(this.#id, kept));
    if (this.#ending !== null) this.#sayEnd(this.#ending);
  }

  stop(): void {
    this.silence();
    this.#subscription?.close();
    this.#forget();
  }

  silence(): void {
    this.#isOver = true;
    this.#giveUpKept();
  }

  get #id(): string {
    return this.#subscription?.id ?? "";
  }

  #offer(method: FeedMethod, rest: string): boolean {
    if (this.#kept === null) {
      return this.#outbox.offer(withSubscription(this.#id, { method, rest }));
    }
    if (!this.#outbox.reserve(rest.length)) return false;
    this.#kept.push({ method, rest });
    return true;
  }

  #giveUpKept(): readonly Kept[] {
    const kept = this.#kept ?? [];
    this.#kept = null;
    for (const { rest } of kept) this.#outbox.release(rest.length);
    return kept;
  }

  #sayEnd(reason: EndReason): void {
    const cursor = String(this.#cursor);
    const params = { subscription: this.#id, reason, cursor };
    this.#outbox.send(notification("subscription.end", params));
    this.stop();
  }
}

type FeedMethod = "task.event" | "task.progress";

/** `rest` is an object's text already, written once: to know its length before its id is known. */
function withSubscription(id: string, { method, rest }: Kept): string {
  const params = `{"subscription":${JSON.stringify(id)},${rest.slice(1)}`;
  return `{"jsonrpc":"2.0","method":"${method}","params":${params}}`;
}
