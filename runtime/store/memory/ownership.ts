import type { EventRow, TaskRow } from "../rows.ts";
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

/** The task as its owner needs it: with the steps that its row does not know of, or all of its journal. */
export function take(tables: Tables, node: string, task: TaskRow): TaskRow {
  const taken = task.owner === node ? task : { ...task, owner: node };
  if (taken !== task) putTask(tables, taken);
  const folded = task.snapshot === null ? 0 : task.seq;
  const tail = [...(tables.journals.get(task.id)?.above(folded) ?? [])];
  return tail.length === 0 ? taken : { ...taken, tail: tail.map(withoutOutcome) };
}

function withoutOutcome(event: EventRow): EventRow {
  if (event.type !== "step.recorded") return event;
  const { token, step, occurrence } = JSON.parse(event.data) as Record<string, unknown>;
  return { ...event, data: JSON.stringify({ token, step, occurrence }) };
}

export function giveUp(tables: Tables, task: TaskRow): void {
  putTask(tables, { ...task, owner: null });
}

/** Whether an attempt of the task is alive on its worker. */
export function holdsSlot({ status }: TaskRow): boolean {
  return status === "running" || status === "cancelling";
}
