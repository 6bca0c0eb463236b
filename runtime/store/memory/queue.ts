import type { TaskRow } from "../rows.ts";
import type { QueueStore } from "../store.ts";
import { isLive, take } from "./ownership.ts";
import { byPriorityAndAge, headOf, type Queued, type Tables } from "./tables.ts";

export function createQueueStore(tables: Tables): QueueStore {
  /** The most urgent task over the heads: they are few, each in order already. */
  function next(heads: ReadonlySet<string>): TaskRow | undefined {
    let best: Queued | undefined;
    for (const head of heads) {
      const first = tables.queue.get(head)?.first;
      if (first === undefined) continue;
      if (best === undefined || byPriorityAndAge(first, best) < 0) best = first;
    }
    return best && tables.tasks.get(best.id);
  }

  return {
    async claim(node, heads, limit) {
      if (!isLive(tables, node)) return [];
      const wanted = new Set(heads.map(headOf));
      const claimed: TaskRow[] = [];
      while (claimed.length < limit) {
        const task = next(wanted);
        if (task === undefined) break;
        claimed.push(take(tables, node, task));
      }
      return claimed;
    },

    async depth(head, cap) {
      return Math.min(tables.queue.get(headOf(head))?.size ?? 0, cap);
    },
  };
}
