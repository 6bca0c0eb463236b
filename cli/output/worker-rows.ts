import type { WorkerView } from "../../sdk/index.ts";
import { formatAge } from "./age.ts";
import type { Column } from "./table.ts";
import { formatLabels } from "./task-rows.ts";
import type { Tone } from "./terminal.ts";

const toneByStatus: Readonly<Record<WorkerView["status"], Tone>> = {
  connecting: "muted",
  serving: "good",
  draining: "odd",
  gone: "muted",
  lost: "bad",
};

const shownDefinitionsMax = 5;

/** `now`: epoch milliseconds that ages count from. */
export function workerColumns(now: number): readonly Column<WorkerView>[] {
  return [
    ["ID", ({ id }) => id],
    ["NAME", ({ name = "" }) => name],
    ["STATUS", ({ status }) => ({ text: status, tone: toneByStatus[status] })],
    ["RUNNING", ({ running, slots }) => `${running}/${slots}`],
    ["DEFINITIONS", ({ definitions }) => formatDefinitions(definitions)],
    ["AGE", ({ registeredAt }) => formatAge(now - registeredAt)],
  ];
}

export function wideWorkerColumns(now: number): readonly Column<WorkerView>[] {
  return [
    ...workerColumns(now),
    ["LEASE", ({ leaseExpiresAt }) => formatAge(leaseExpiresAt - now)],
    ["NODE", ({ node = "" }) => node],
    ["LABELS", ({ labels }) => formatLabels(labels)],
  ];
}

function formatDefinitions(definitions: WorkerView["definitions"]): string {
  const shown = definitions
    .slice(0, shownDefinitionsMax)
    .map(({ name, version }) => (version === "" ? name : `${name}@${version}`));
  const hiddenCount = definitions.length - shown.length;
  return hiddenCount === 0 ? shown.join(",") : `${shown.join(",")} and ${hiddenCount} more`;
}
