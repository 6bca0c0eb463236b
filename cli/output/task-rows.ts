import type { TaskStatus, TaskView } from "../../sdk/index.ts";
import { formatAge, formatTook } from "./age.ts";
import type { Cell, Column } from "./table.ts";
import type { Tone } from "./terminal.ts";

const toneByStatus: Readonly<Record<TaskStatus, Tone>> = {
  waiting: "muted",
  ready: "muted",
  running: "busy",
  suspended: "busy",
  cancelling: "odd",
  paused: "odd",
  quarantined: "bad",
  succeeded: "good",
  failed: "bad",
  cancelled: "odd",
  skipped: "muted",
};

/** `now`: epoch milliseconds that ages count from. */
export function taskColumns(now: number): readonly Column<TaskView>[] {
  return [
    ["ID", ({ id }) => id],
    ["DEFINITION", ({ definition }) => definition],
    ["STATUS", ({ status }) => statusCell(status)],
    ["ATTEMPT", ({ attempt }) => `${attempt}`],
    ["AGE", ({ createdAt }) => formatAge(now - createdAt)],
  ];
}

export function wideTaskColumns(now: number): readonly Column<TaskView>[] {
  return [
    ...taskColumns(now),
    ["TOOK", (task) => tookCell(task)],
    ["VERSION", ({ version }) => version],
    ["PRIORITY", ({ priority }) => `${priority}`],
    ["WORKER", ({ worker = "" }) => worker],
    ["LABELS", ({ labels }) => formatLabels(labels)],
    ["KEY", ({ key = "" }) => key],
  ];
}

/** Undefined for one that this program does not know. */
export function toneOfStatus(status: TaskStatus): Tone | undefined {
  return toneByStatus[status];
}

export function statusCell(status: TaskStatus): Cell {
  return { text: status, tone: toneByStatus[status] };
}

export function formatLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(",");
}

function tookCell({ startedAt, endedAt }: TaskView): string {
  return startedAt === undefined || endedAt === undefined ? "" : formatTook(endedAt - startedAt);
}
