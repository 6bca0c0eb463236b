import type { WatchStore } from "../store.ts";
import type { Tables } from "./tables.ts";

export function createWatchStore({ watches }: Tables): WatchStore {
  return {
    async watch(node, tasks) {
      for (const task of tasks) watches.set(task, (watches.get(task) ?? new Set()).add(node));
    },

    async unwatch(node, tasks) {
      for (const task of tasks) {
        const watching = watches.get(task);
        watching?.delete(node);
        if (watching?.size === 0) watches.delete(task);
      }
    },

    async watchers(tasks) {
      const each = [...new Set(tasks)];
      return each.flatMap((task) => [...(watches.get(task) ?? [])].map((node) => ({ node, task })));
    },
  };
}
