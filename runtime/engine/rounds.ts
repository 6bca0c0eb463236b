import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { Loop } from "../ports/loop.ts";
import type { Store } from "../store/store.ts";
import type { Audience } from "./audience.ts";
import type { Life } from "./life.ts";
import { Retention } from "./retention.ts";

const mailPollMs = 1_000;
const timersPollMs = 1_000;
/** A due timer may be another node's to ring, or on its way in a commit: asking at once would spin. */
const timersPauseMs = 20;
const lettersAtOnce = 200;
const timersAtOnce = 500;
const workersPollMs = 1_000;
const backlogPollMs = 1_000;
const watchedPollMs = 1_000;
const watchedAtOnce = 200;
const retentionPollMs = 5_000;
/** A run that begins this much too late was held up by a stall of this process. */
const stallMs = 1_000;

interface RoundsOptions {
  readonly life: Life;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly audience: Audience;
  readonly nodeLeaseMs: number;
  readonly workerLeaseMs: number;
  readonly retentionMs: number | null;
}

export interface Rounds {
  readonly mail: Loop;
  readonly timers: { expect(inMs: number): void };
  start(): void;
  stop(): Promise<void>;
}

/** What a node does again and again. Every one of them would find what a lost hint did not tell. */
export function createRounds(options: RoundsOptions): Rounds {
  const { life, store, clock, log, audience } = options;
  const loop = (name: string, everyMs: number, run: (lateMs: number) => Promise<unknown>) =>
    new Loop({ name, everyMs, clock, log, run });

  const lease = loop("lease", options.nodeLeaseMs / 4, () => life.lease.renew());
  const reap = loop("reap", Math.min(2_500, options.nodeLeaseMs / 4), async () => {
    await life.lease.reap();
    // L2 for workers: in an outage nobody could extend their leases.
    if (life.lease.watchedMs >= options.workerLeaseMs) await life.workers.ends.reapExpired();
    await life.workers.ends.reapStranded();
  });
  const workers = loop("workers", Math.min(workersPollMs, options.workerLeaseMs / 4), (lateMs) =>
    life.workers.ends.tend(lateMs > stallMs ? lateMs : 0),
  );
  // It takes two looks to find one, and no take-over may last longer than one and a half leases.
  const strays = loop("strays", options.workerLeaseMs / 3, () => life.workers.findStrays());
  const mail: Loop = loop("mail", mailPollMs, async () => {
    if (await life.post.collect(lettersAtOnce)) mail.nudge();
  });
  const timers: Loop = loop("timers", timersPollMs, async () => {
    const due = await store.timers.takeDue(life.incarnation, timersAtOnce);
    for (const { timer, task } of due) {
      const actor = life.directory.takeIn(task);
      if (actor === null) continue;
      const isHere = actor.mailbox.some((it) => it.type === "timer" && it.kind === timer.kind);
      if (isHere || actor.isCommitting) continue;
      life.directory.post(actor, { type: "timer", kind: timer.kind });
    }
    if (due.length === timersAtOnce) return 0;
    const nextMs = (await store.timers.untilNext()) ?? timersPollMs;
    return nextMs > 0 ? nextMs : timersPauseMs;
  });
  const backlog = loop("backlog", backlogPollMs, async () => {
    life.backlog.releaseStale();
    life.backlog.lookAgain();
  });
  // While this node seems alone, another may have come, run a task and gone between two renewals of
  // the lease: so a few of those waited for are looked at all the same, in turn.
  let watchedAt = 0;
  const watched = loop("watched", watchedPollMs, async () => {
    const elsewhere = audience.attended().filter((id) => !life.directory.get(id));
    if (life.lease.nodeCount > 1) return life.watches.tend(elsewhere);
    if (watchedAt >= elsewhere.length) watchedAt = 0;
    const some = elsewhere.slice(watchedAt, watchedAt + watchedAtOnce);
    watchedAt += watchedAtOnce;
    return life.watches.refresh(some);
  });
  const keptMs = options.retentionMs;
  const retained = keptMs === null ? null : new Retention({ store, clock, keptMs });
  const retention = loop("retention", retentionPollMs, async () => retained?.deleteSome());

  const all = [lease, reap, workers, strays, mail, timers, backlog, watched, retention];
  let nextTimerAt = Number.POSITIVE_INFINITY;
  return {
    mail,
    timers: {
      expect(inMs) {
        const at = clock.monotonic() + inMs;
        if (inMs >= timersPollMs || at >= nextTimerAt) return;
        nextTimerAt = at;
        clock.after(inMs, () => {
          nextTimerAt = Number.POSITIVE_INFINITY;
          timers.nudge();
        });
      },
    },
    start: () => {
      for (const each of all) each.start();
      timers.nudge();
      mail.nudge();
    },
    stop: async () => {
      await Promise.all(all.map((each) => each.stop()));
    },
  };
}
