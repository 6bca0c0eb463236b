import type { TaskError, TaskView } from "../../sdk/index.ts";
import { formatAge, formatTook } from "./age.ts";
import { type Cell, formatFacts } from "./table.ts";
import { formatLabels, statusCell } from "./task-rows.ts";

/** Everything about a task but its events. `now`: epoch milliseconds that ages count from. */
export function formatTask(task: TaskView, now: number): string {
  const { createdAt, startedAt, endedAt } = task;
  return formatFacts([
    ["ID", task.id],
    ["Definition", task.definition],
    ["Version", task.version || undefined],
    ["Status", statusCell(task.status)],
    ["Waiting", task.waitingFor?.message],
    ["Worker", task.worker],
    ["Attempt", `${task.attempt}`],
    ["Priority", `${task.priority}`],
    ["Key", task.key],
    ["Parent", task.parent],
    ["Root", task.root === task.id ? undefined : task.root],
    ["Labels", formatLabels(task.labels) || undefined],
    ["Metadata", Object.keys(task.metadata).length === 0 ? undefined : write(task.metadata)],
    ["Created", formatInstant(createdAt, now)],
    ["Started", startedAt === undefined ? undefined : formatInstant(startedAt, now)],
    ["Ended", endedAt === undefined ? undefined : formatInstant(endedAt, now)],
    ["Took", formatDuration(task)],
    ["Input", write(task.input)],
    ["Progress", task.progress === undefined ? undefined : write(task.progress)],
    ["Output", task.output === undefined ? undefined : write(task.output)],
    ["Error", task.error && formatError(task.error)],
  ]);
}

function formatInstant(at: number, now: number): string {
  return `${new Date(at).toISOString()} (${formatAge(now - at)} ago)`;
}

function formatDuration({ startedAt, endedAt }: TaskView): string | undefined {
  if (startedAt === undefined || endedAt === undefined) return undefined;
  return formatTook(endedAt - startedAt);
}

function formatError(error: TaskError): Cell {
  const heading = `${error.name}: ${error.message}`;
  const own = error.stack === undefined ? heading : `${heading}\n${error.stack}`;
  const { cause } = error;
  const text = cause === undefined ? own : `${own}\ncaused by ${toText(formatError(cause))}`;
  return { text, tone: "bad" };
}

function toText(cell: Cell): string {
  return typeof cell === "string" ? cell : cell.text;
}

function write(value: unknown): string {
  return JSON.stringify(value, null, 2) ?? "";
}
