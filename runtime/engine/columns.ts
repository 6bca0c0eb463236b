import { isEnded, type TaskError, type TaskStatus } from "../../sdk/protocol/task.ts";
import type { TaskEvent } from "../machines/task.events.ts";
import type { JsonText, TaskState } from "../store/rows.ts";
import type { TaskSnapshot } from "./task-actor.ts";

/** What readers ask of a task beside what its snapshot says; a turn changes its own copy. */
export type Columns = {
  -readonly [Name in "version" | "output" | "error" | "startedAt" | "endedAt"]: TaskState[Name];
};

export function columnsOf({ version, output, error, startedAt, endedAt }: TaskState): Columns {
  return { version, output, error, startedAt, endedAt };
}

/** Changes the columns as the event does that led to the snapshot. */
export function project(
  columns: Columns,
  event: TaskEvent,
  { snapshot, now }: { snapshot: TaskSnapshot; now: number },
): void {
  switch (event.type) {
    case "task.submitted":
      columns.version = event.version;
      // What is made of others, and waits for nothing itself, has begun.
      if (snapshot.value === "running") columns.startedAt ??= now;
      break;
    case "task.reused":
      columns.version = event.version;
      break;
    case "attempt.assigned":
      columns.version = event.version;
      columns.startedAt ??= now;
      break;
    case "attempt.succeeded":
      columns.error = null;
      break;
    case "task.restarted":
      columns.output = null;
      columns.error = null;
      columns.endedAt = null;
      break;
    case "task.resolved":
      if (snapshot.value === "running") columns.startedAt ??= now;
      break;
    case "task.failed":
    case "attempt.failed":
      columns.error = JSON.stringify(event.error);
      break;
    case "attempt.timedOut":
      columns.error = errorText("TimeoutError", "attempt-timed-out", "the attempt took too long");
      break;
    case "task.timedOut":
      columns.error = errorText("TimeoutError", "timed-out", "the task took longer than timeoutMs");
      break;
    case "attempt.lost":
      if (snapshot.value === "quarantined") {
        const message = `its worker died under it again and again (last: ${event.reason})`;
        columns.error = errorText("PoisonError", "poison", message);
      }
      break;
  }
  if (!isEnded(statusOf(snapshot)) || event.type === "attempt.late") return;
  columns.endedAt = now;
  if (snapshot.value !== "cancelled") return;
  const reason = snapshot.context.cancel?.reason ?? "cancelled";
  columns.error = errorText("CancelledError", "cancelled", reason);
}

/** Before its first event a task has a state, but no status that anybody could read. */
export function statusOf({ value }: TaskSnapshot): TaskStatus {
  return value === "new" ? "waiting" : value;
}

function errorText(name: string, code: string, message: string): JsonText {
  return JSON.stringify({ name, message, code } satisfies TaskError);
}
