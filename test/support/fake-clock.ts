import type { Clock } from "../../runtime/ports/clock.ts";

interface FakeClock extends Clock {
  /** Moves time on; what falls due on the way is called back in order, each at its own instant. */
  advance(ms: number): void;
}

interface Alarm {
  readonly at: number;
  readonly callback: () => void;
}

export function createFakeClock(startAt = Date.UTC(2026, 0, 1)): FakeClock {
  let now = startAt;
  const alarms = new Set<Alarm>();

  function nextUntil(until: number): Alarm | undefined {
    let next: Alarm | undefined;
    for (const alarm of alarms) {
      if (alarm.at <= until && (next === undefined || alarm.at < next.at)) next = alarm;
    }
    return next;
  }

  return {
    now: () => now,
    monotonic: () => now - startAt,
    after(delayMs, callback) {
      const alarm = { at: now + Math.max(delayMs, 0), callback };
      alarms.add(alarm);
      return () => alarms.delete(alarm);
    },
    soon: (callback) => void setImmediate(callback),
    advance(ms) {
      const until = now + ms;
      for (let alarm = nextUntil(until); alarm !== undefined; alarm = nextUntil(until)) {
        alarms.delete(alarm);
        now = alarm.at;
        alarm.callback();
      }
      now = until;
    },
  };
}
