import type { Clock } from "../../runtime/ports/clock.ts";

/** Longest that time moves at once: what an alarm sets going has its say before the next step. */
const stepMs = 100;
const ringsMax = 2;

export interface SteppedClock extends Clock {
  /** Alarms that were set and have neither rung nor been taken back. */
  readonly alarmCount: number;
  /** Resolves when everything that can go on without time passing has done so. */
  settle(): Promise<void>;
  /** Moves time on in small steps, settling after each. */
  advance(ms: number): Promise<void>;
  /** Time passes while the process stands still: what was due on the way rings late, all at once. */
  stall(ms: number): Promise<void>;
}

interface Alarm {
  readonly at: number;
  readonly callback: () => void;
}

export function createSteppedClock(startAt = Date.UTC(2026, 0, 1)): SteppedClock {
  let now = startAt;
  let soonCount = 0;
  const alarms = new Set<Alarm>();

  async function settle(): Promise<void> {
    do await new Promise((resolve) => setImmediate(resolve));
    while (soonCount > 0);
  }

  /** More than once: what rang may have set alarms for this very instant. */
  async function ring(): Promise<void> {
    for (let times = 0; times < ringsMax; times += 1) {
      const due = [...alarms].filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
      for (const alarm of due) if (alarms.delete(alarm)) alarm.callback();
      await settle();
    }
  }

  function nextAt(): number {
    return Math.min(...Array.from(alarms, ({ at }) => at));
  }

  return {
    get alarmCount() {
      return alarms.size;
    },
    now: () => now,
    monotonic: () => now - startAt,
    after(delayMs, callback) {
      const alarm = { at: now + Math.max(delayMs, 0), callback };
      alarms.add(alarm);
      return () => alarms.delete(alarm);
    },
    soon(callback) {
      soonCount += 1;
      setImmediate(() => {
        soonCount -= 1;
        callback();
      });
    },
    settle,
    async advance(ms) {
      const until = now + ms;
      await ring();
      while (now < until) {
        // To the next alarm, so that each rings at its own instant.
        now = Math.min(until, now + stepMs, Math.max(nextAt(), now + 1));
        await ring();
      }
    },
    async stall(ms) {
      now += ms;
      await ring();
    },
  };
}
