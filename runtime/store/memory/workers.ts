import type { WorkerRow } from "../rows.ts";
import type { WorkerStore } from "../store.ts";
import { partOf } from "./bounded-part.ts";
import { byText } from "./ordered.ts";
import { holdsSlot } from "./ownership.ts";
import { compound, deleteWorker, putWorker, type Tables } from "./tables.ts";

export function createWorkerStore(tables: Tables): WorkerStore {
  const { clock, workers } = tables;
  return {
    async read(id) {
      return workers.get(id) ?? null;
    },

    async readByName(namespace, name) {
      const id = tables.workerNames.get(compound(namespace, name));
      return (id !== undefined && workers.get(id)) || null;
    },

    async list(namespace) {
      return [...workers.values()].filter((worker) => worker.namespace === namespace);
    },

    async listPart(namespace, { beyond = "", limit, bytesMax }) {
      const asked = [...workers.values()]
        .filter((worker) => worker.namespace === namespace && worker.id > beyond)
        .sort((a, b) => byText(a.id, b.id))
        .slice(0, limit);
      const textsOf = ({ definitions, labels, snapshot }: WorkerRow) => [
        definitions,
        labels,
        snapshot,
      ];
      return partOf(asked, { bytesMax, textsOf });
    },

    async renew(node, ids, leaseMs) {
      const expiresAt = clock.now() + leaseMs;
      const renewed: string[] = [];
      for (const id of new Set(ids)) {
        const worker = workers.get(id);
        if (worker === undefined || worker.node !== node || isOver(worker)) continue;
        putWorker(tables, { ...worker, expiresAt });
        renewed.push(id);
      }
      return renewed;
    },

    async expired(limit) {
      const now = clock.now();
      return [...workers.values()]
        .filter((worker) => isServing(worker) && worker.expiresAt <= now)
        .slice(0, limit);
    },

    async ofInstance(instance) {
      return [...workers.values()].filter(
        (worker) => isServing(worker) && worker.instance === instance,
      );
    },

    async stranding(limit) {
      const held = new Set<string | null>();
      for (const task of tables.tasks.values()) if (holdsSlot(task)) held.add(task.worker);
      return [...workers.values()]
        .filter((worker) => isOver(worker) && held.has(worker.id))
        .slice(0, limit);
    },

    async runningCounts(ids) {
      const counts = new Map<string, number>();
      const wanted = new Set(ids);
      for (const task of tables.tasks.values()) {
        if (task.worker === null || !wanted.has(task.worker) || !holdsSlot(task)) continue;
        counts.set(task.worker, (counts.get(task.worker) ?? 0) + 1);
      }
      return counts;
    },

    async deleteEnded(endedBefore, limit) {
      const ended = [...workers.values()]
        // A row keeps no end of its own; the lease of its last turn ran out soon after it.
        .filter((worker) => isOver(worker) && worker.expiresAt < endedBefore)
        .slice(0, limit);
      for (const worker of ended) deleteWorker(tables, worker);
      return ended.length;
    },
  };
}

function isServing({ status }: WorkerRow): boolean {
  return status === "serving" || status === "draining";
}

function isOver({ status }: WorkerRow): boolean {
  return status === "gone" || status === "lost";
}
