import { isKantokuError, KantokuError } from "../errors.ts";
import type { Service } from "../protocol/service.ts";
import type { JournalEvent } from "../protocol/task.ts";
import { backoffMs } from "../time/backoff.ts";
import { type Clock, wait } from "../time/clock.ts";
import { Feed, type FeedEnd } from "./feed.ts";

export interface EventsOptions {
  /** Only events with a greater seq. */
  readonly after?: number;
  /** Gets reports of progress while the iteration runs; they are live only, and some may be skipped. */
  readonly onProgress?: (progress: unknown) => void;
  /** Ends the iteration, without an error. */
  readonly signal?: AbortSignal;
}

interface Following extends EventsOptions {
  readonly service: Service;
  readonly clock: Clock;
  readonly random: () => number;
  /** Aborts when the client closes. */
  readonly closing: AbortSignal;
}

const failuresMax = 20;

/** A task's journal as an iterator, over as many subscriptions as it takes, without gap or repeat. */
export async function* followEvents(
  task: string,
  following: Following,
): AsyncGenerator<JournalEvent, void, undefined> {
  const { clock, random, closing } = following;
  let seen = following.after ?? 0;
  for (let failures = 0; ; ) {
    const feed = new Feed(seen, following.onProgress);
    yield* readAbandonable(task, feed, following);
    if (feed.seen > seen) failures = 0;
    seen = feed.seen;
    if (feed.ending === "ended" || following.signal?.aborted) return;
    if (closing.aborted) throw closed();
    if (feed.ending === "deleted") throw deleted(task);
    if (feed.ending === "behind") continue;
    // The source stopped: another subscription finds the next one, after a while.
    if (failures >= failuresMax) throw unreachable(task);
    await wait(clock, backoffMs(failures, random), closing);
    failures++;
  }
}

async function* readAbandonable(
  task: string,
  feed: Feed,
  { service, signal, closing }: Following,
): AsyncGenerator<JournalEvent, void, undefined> {
  if (signal?.aborted || closing.aborted) return;
  const abandoned = Promise.withResolvers<undefined>();
  const abandon = () => {
    feed.end("abandoned");
    abandoned.resolve(undefined);
  };
  signal?.addEventListener("abort", abandon);
  closing.addEventListener("abort", abandon);
  try {
    const opening = service.subscribe({ id: task, after: feed.seen }, feed);
    // A source that is out of reach may take for ever to open a subscription.
    const subscription = await Promise.race([opening, abandoned.promise]);
    if (subscription) yield* feed.read(subscription);
    else opening.then((late) => late.close()).catch(() => undefined);
  } catch (thrown) {
    if (!isKantokuError(thrown) || !thrown.retryable) throw thrown;
    feed.end("shutdown" satisfies FeedEnd);
  } finally {
    signal?.removeEventListener("abort", abandon);
    closing.removeEventListener("abort", abandon);
  }
}

function closed(): KantokuError {
  return new KantokuError("shutting-down", "the client was closed");
}

function deleted(task: string): KantokuError {
  return new KantokuError("not-found", `task ${task} was deleted`, { data: { task } });
}

function unreachable(task: string): KantokuError {
  return new KantokuError("busy", `the events of task ${task} cannot be reached`, {
    data: { task },
  });
}
