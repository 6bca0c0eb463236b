import type { TaskRow } from "../rows.ts";
import { putTask, type Tables } from "./tables.ts";

/** Whether a node may write: its lease row is there and has not expired. */
export function isLive(tables: Tables, node: string): boolean {
  const row = tables.nodes.get(node);
  return row !== undefined && row.expiresAt > tables.clock.now();
}

/**
 * Whether `node` may take this task. An owner that has a lease row keeps its tasks, expired or
 * not: until a reaper deletes the row, a commit of that owner may still be on its way.
 */
export function mayTake(tables: Tables, node: string, task: TaskRow): boolean {
  return task.owner === null || task.owner === node || !tables.nodes.has(task.owner);
}

export function take(tables: Tables, node: string, task: TaskRow): TaskRow {
  if (task.owner === node) return task;
  const taken = { ...task, owner: node };
  putTask(tables, taken);
  return taken;
}

export function giveUp(tables: Tables, task: TaskRow): void {
  putTask(tables, { ...task, owner: null });
}

/** Whether an attempt of the task is alive on its worker. */
export function holdsSlot({ status }: TaskRow): boolean {
  return status === "running" || status === "cancelling";
}
