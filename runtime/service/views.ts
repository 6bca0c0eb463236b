import { KantokuError } from "../../sdk/errors.ts";
import type { RunResult } from "../../sdk/protocol/service.ts";
import type { TaskError, TaskView, WorkerView } from "../../sdk/protocol/task.ts";
import type { Ending } from "../engine/audience.ts";
import type { TaskRow, WorkerRow } from "../store/rows.ts";

/** A task's row as readers see it. */
export function toTaskView(row: TaskRow): TaskView {
  return {
    id: row.id,
    definition: row.definition,
    version: row.version,
    status: row.status,
    input: JSON.parse(row.input) as unknown,
    ...(row.status === "succeeded" ? { output: JSON.parse(row.output ?? "null") as unknown } : {}),
    ...(row.error === null ? {} : { error: JSON.parse(row.error) as TaskError }),
    attempt: row.attempt,
    priority: row.priority,
    createdAt: row.createdAt,
    ...(row.startedAt === null ? {} : { startedAt: row.startedAt }),
    ...(row.endedAt === null ? {} : { endedAt: row.endedAt }),
    ...(row.worker === null ? {} : { worker: row.worker }),
    ...(row.parent === null ? {} : { parent: row.parent }),
    root: row.root,
    ...(row.restart && { restartOf: row.restart.of, restartRoot: row.restart.root }),
    ...(row.key === null ? {} : { key: row.key }),
    labels: JSON.parse(row.labels) as TaskView["labels"],
    metadata: JSON.parse(row.metadata) as TaskView["metadata"],
    ...(row.progress === null ? {} : { progress: JSON.parse(row.progress) as unknown }),
    seq: row.seq,
  };
}

export function toWorkerView(row: WorkerRow, running: number): WorkerView {
  return {
    id: row.id,
    ...(row.name === row.id ? {} : { name: row.name }),
    status: row.status,
    slots: row.slots,
    running,
    definitions: JSON.parse(row.definitions) as WorkerView["definitions"],
    labels: JSON.parse(row.labels) as WorkerView["labels"],
    ...(row.node === null ? {} : { node: row.node }),
    registeredAt: row.registeredAt,
    leaseExpiresAt: row.expiresAt,
  };
}

/** An ended task's output. @throws KantokuError for every other end, with `data {task, error}`. */
export function toRunResult(id: string, ending: Ending): RunResult {
  if (ending.status === "succeeded") {
    return { id, status: ending.status, output: JSON.parse(ending.output ?? "null") as unknown };
  }
  const error = ending.error === null ? null : (JSON.parse(ending.error) as TaskError);
  const data = { task: id, status: ending.status, ...(error === null ? {} : { error }) };
  const reason = error?.message ?? ending.status;
  switch (ending.status) {
    case "failed":
      throw error?.code === "timed-out" || error?.code === "attempt-timed-out"
        ? new KantokuError("task-timed-out", `task ${id} timed out: ${reason}`, { data })
        : new KantokuError("task-failed", `task ${id} failed: ${reason}`, { data });
    case "cancelled":
      throw new KantokuError("task-cancelled", `task ${id} was cancelled: ${reason}`, { data });
    case "quarantined":
      throw new KantokuError("task-quarantined", `task ${id} is quarantined: ${reason}`, { data });
    default:
      return { id, status: ending.status };
  }
}
