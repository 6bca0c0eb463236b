import type { WatchStore } from "../store.ts";
import type { Tables } from "./tables.ts";

export function createWatchStore({ watches }: Tables): WatchStore {
  return {
    async watch(node, task) {
      const watching = watches.get(task) ?? new Set();
      watching.add(node);
      watches.set(task, watching);
    },

    async unwatch(node, task) {
      const watching = watches.get(task);
      watching?.delete(node);
      if (watching?.size === 0) watches.delete(task);
    },

    async watchers(tasks) {
      return [...new Set(tasks.flatMap((task) => [...(watches.get(task) ?? [])]))];
    },
  };
}
