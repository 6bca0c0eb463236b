import type { NodeStore } from "../store.ts";
import { giveUp, isLive } from "./ownership.ts";
import type { Tables } from "./tables.ts";

export function createNodeStore(tables: Tables): NodeStore {
  const { clock, nodes } = tables;
  return {
    async enlist(node, leaseMs) {
      const now = clock.now();
      nodes.set(node.incarnation, { ...node, expiresAt: now + leaseMs });
      return { now };
    },

    async renew(incarnation, leaseMs) {
      const row = nodes.get(incarnation);
      if (row === undefined) return null;
      const now = clock.now();
      nodes.set(incarnation, { ...row, expiresAt: now + leaseMs });
      return { now, nodes: [...nodes.keys()].filter((node) => isLive(tables, node)).length };
    },

    async list() {
      return [...nodes.values()];
    },

    async expired() {
      return [...nodes.keys()].filter((node) => !isLive(tables, node));
    },

    async remove(incarnation) {
      nodes.delete(incarnation);
      tables.batches.delete(incarnation);
      for (const [task, watching] of tables.watches) {
        watching.delete(incarnation);
        if (watching.size === 0) tables.watches.delete(task);
      }
    },

    async free(limit) {
      const orphans = [...tables.tasks.values()]
        .filter(({ owner }) => owner !== null && !nodes.has(owner))
        .slice(0, limit);
      for (const task of orphans) giveUp(tables, task);
      return orphans.length;
    },
  };
}
