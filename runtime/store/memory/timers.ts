import type { TaskRow, TimerRow } from "../rows.ts";
import type { TimerStore } from "../store.ts";
import { isLive, mayTake, take } from "./ownership.ts";
import type { Tables } from "./tables.ts";

export function createTimerStore(tables: Tables): TimerStore {
  return {
    async takeDue(node, limit) {
      if (!isLive(tables, node)) return [];
      const now = tables.clock.now();
      const taken: { timer: TimerRow; task: TaskRow }[] = [];
      for (const timer of tables.timers) {
        if (timer.dueAt > now || taken.length >= limit) break;
        const task = tables.tasks.get(timer.actor);
        if (task === undefined || !mayTake(tables, node, task)) continue;
        taken.push({ timer, task: take(tables, node, task) });
      }
      return taken;
    },

    async untilNext() {
      const next = tables.timers.first;
      return next === undefined ? null : Math.max(0, next.dueAt - tables.clock.now());
    },
  };
}
