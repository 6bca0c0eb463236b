import { isEnded, isOver } from "../../../sdk/protocol/task.ts";
import type { Instant, TaskRow } from "../rows.ts";
import type { TaskQuery, TaskStore } from "../store.ts";
import { partOf } from "./bounded-part.ts";
import { giveUp, holdsSlot, isLive, mayTake, take } from "./ownership.ts";
import { compound, deleteTask, putTask, type Tables } from "./tables.ts";

export function createTaskStore(tables: Tables): TaskStore {
  function existing(ids: readonly string[]): TaskRow[] {
    const rows = [...new Set(ids)].map((id) => tables.tasks.get(id));
    return rows.filter((row) => row !== undefined);
  }

  function list(query: TaskQuery): TaskRow[] {
    const rows: TaskRow[] = [];
    for (const id of idsInOrder(tables, query)) {
      if (rows.length >= query.limit) break;
      const task = tables.tasks.get(id);
      if (task !== undefined && matches(task, query)) rows.push(task);
    }
    return rows;
  }

  return {
    async acquire(node, ids, worker) {
      if (!isLive(tables, node)) return [];
      return existing(ids)
        .filter((task) => mayTake(tables, node, task) || runsOn(task, worker))
        .map((task) => take(tables, node, task));
    },

    async acquireOfWorker(node, worker) {
      if (!isLive(tables, node)) return [];
      return [...tables.tasks.values()]
        .filter((task) => runsOn(task, worker))
        .map((task) => take(tables, node, task));
    },

    async runningOn(workers) {
      const wanted = new Set(workers);
      return [...tables.tasks.values()].flatMap((task) => {
        const { id, worker } = task;
        return worker !== null && wanted.has(worker) && holdsSlot(task) ? [{ id, worker }] : [];
      });
    },

    async release(node, ids) {
      for (const task of existing(ids)) if (task.owner === node) giveUp(tables, task);
    },

    async read(namespace, id) {
      const task = tables.tasks.get(id);
      return task?.namespace === namespace ? task : null;
    },

    async readByKey(namespace, key) {
      const id = tables.keys.get(compound(namespace, key));
      return (id !== undefined && tables.tasks.get(id)) || null;
    },

    async readRestart(of) {
      const id = tables.restarts.get(of);
      return (id !== undefined && tables.tasks.get(id)) || null;
    },

    async readMany(ids) {
      return existing(ids);
    },

    async endings(ids) {
      return existing(ids)
        .filter(({ status }) => isOver(status))
        .map(({ id, status, output, error }) => ({ id, status, output, error }));
    },

    async list(query) {
      return list(query);
    },

    async listPart(query, bytesMax) {
      return partOf(list(query), { bytesMax, textsOf });
    },

    async saveProgress(id, progress) {
      const task = tables.tasks.get(id);
      if (task !== undefined) putTask(tables, { ...task, progress });
    },

    async deleteEnded(endedBefore, limit) {
      const trees = endedTrees(tables, endedBefore).slice(0, limit);
      for (const task of trees.flat()) deleteTask(tables, task);
      return trees.length;
    },
  };
}

function textsOf(task: TaskRow): readonly (string | null)[] {
  const { input, labels, metadata, output, error, progress, snapshot, place } = task;
  return [input, labels, metadata, output, error, progress, snapshot, place?.graph ?? null];
}

function runsOn(task: TaskRow, worker: string | undefined): boolean {
  return worker !== undefined && task.worker === worker && holdsSlot(task);
}

function idsInOrder({ taskIds }: Tables, { order, beyond }: TaskQuery): Iterable<string> {
  if (order === "descending") return taskIds.below(beyond);
  return taskIds.above(beyond ?? "");
}

function matches(task: TaskRow, query: TaskQuery): boolean {
  if (task.namespace !== query.namespace) return false;
  if (query.status !== undefined && !query.status.includes(task.status)) return false;
  if (query.definition !== undefined && task.definition !== query.definition) return false;
  if (query.createdAfter !== undefined && task.createdAt <= query.createdAfter) return false;
  if (query.createdBefore !== undefined && task.createdAt >= query.createdBefore) return false;
  if (query.root !== undefined && task.root !== query.root) return false;
  if (query.restartRoot !== undefined) {
    const isOfChain = [task.id, task.restart?.root].includes(query.restartRoot);
    if (!isOfChain) return false;
  }
  return query.labels === undefined || hasLabels(task, query.labels);
}

function hasLabels(task: TaskRow, wanted: Readonly<Record<string, string>>): boolean {
  const labels: Record<string, unknown> = JSON.parse(task.labels);
  return Object.entries(wanted).every(
    ([name, value]) => Object.hasOwn(labels, name) && labels[name] === value,
  );
}

/** Each ended root with all that is under it, where nothing of that still moves. */
function endedTrees({ tasks }: Tables, endedBefore: Instant): readonly (readonly TaskRow[])[] {
  const trees = Map.groupBy(tasks.values(), ({ root }) => root);
  return [...trees]
    .filter(([root, tree]) => {
      const endedAt = tasks.get(root)?.endedAt ?? null;
      if (endedAt === null || endedAt >= endedBefore) return false;
      return tree.every(({ status }) => isEnded(status));
    })
    .map(([, tree]) => tree);
}
