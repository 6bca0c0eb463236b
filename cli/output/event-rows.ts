import type { JournalEvent } from "../../sdk/index.ts";
import type { Cell, Column } from "./table.ts";
import { harmless, type Tone } from "./terminal.ts";

const detailsMax = 120;

const toneByType: Readonly<Record<string, Tone>> = {
  "attempt.succeeded": "good",
  "task.succeeded": "good",
  "attempt.failed": "bad",
  "attempt.timedOut": "bad",
  "attempt.lost": "bad",
  "task.failed": "bad",
  "task.timedOut": "bad",
  "attempt.cancelled": "odd",
  "attempt.refused": "odd",
  "attempt.late": "odd",
  "task.skipped": "odd",
  "task.cancelRequested": "odd",
  "task.restarted": "odd",
};

export function eventColumns(): readonly Column<JournalEvent>[] {
  return [
    ["SEQ", ({ seq }) => `${seq}`],
    ["AT", ({ at }) => new Date(at).toISOString()],
    ["TYPE", ({ type }) => typeCell(type)],
    ["DETAILS", ({ data }) => formatDetails(data)],
  ];
}

/** One event on one line, as it happens. */
export function formatEvent({ seq, at, type, data }: JournalEvent): string {
  const time = new Date(at).toISOString().slice("2026-01-01T".length);
  return `${time}  ${`${seq}`.padStart(3)}  ${type}  ${formatDetails(data)}`.trimEnd();
}

function typeCell(type: string): Cell {
  const tone = toneByType[type];
  return tone === undefined ? type : { text: type, tone };
}

/** `name=value …`; instants readable, tokens left out: they tell attempts apart for programs only. */
function formatDetails(data: Readonly<Record<string, unknown>>): string {
  const details = Object.entries(data)
    .filter(([name, value]) => name !== "token" && value !== "" && value !== null)
    .map(([name, value]) => `${name}=${formatDetail(name, value)}`)
    .join(" ");
  const line = harmless(details).replaceAll(/\s+/g, " ");
  return line.length > detailsMax ? `${line.slice(0, detailsMax - 1)}…` : line;
}

function formatDetail(name: string, value: unknown): string {
  if (typeof value === "number" && /(At|Until)$/.test(name)) return new Date(value).toISOString();
  if (typeof value === "object" && value !== null && "message" in value && "name" in value) {
    return JSON.stringify(`${value.name}: ${value.message}`);
  }
  return typeof value === "string" && !/\s/.test(value) ? value : JSON.stringify(value);
}
