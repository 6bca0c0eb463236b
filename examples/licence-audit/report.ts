import { styleText } from "node:util";
import { type Align, alignColumns, formatBytes, formatMs } from "./figures.ts";
import type { Summary } from "./tasks.ts";

export interface Times {
  readonly bootMs: number;
  readonly auditMs: number;
  readonly wholeMs: number;
  /** From its first assignment to its recorded end. */
  readonly taskP50Ms: number;
}

export function formatReport(summary: Summary, times: Times): string {
  const { packages, bytes, files, licences, classes, largest, toLookAt } = summary;
  const count = (value: number) => value.toLocaleString("en");
  const licenceRows = [
    ...licences.map((row) => [row.licence, row.class, count(row.packages), formatBytes(row.bytes)]),
    ["all", "", count(packages), formatBytes(bytes)],
  ];
  const sections = [
    head(`${count(packages)} packages, ${count(files)} files, ${formatBytes(bytes)}`),
    ...table(["licence", "class", "packages", "size"], licenceRows, [
      "left",
      "left",
      "right",
      "right",
    ]),
    "",
    `  ${classes.map((row) => `${row.class} ${row.packages}`).join(" · ")}`,
    "",
    head("Largest"),
    ...columns(
      largest.map((row) => [row.package, formatBytes(row.bytes)]),
      ["left", "right"],
    ),
    "",
    head(`To look at: ${toLookAt.length}`),
    ...columns(
      toLookAt.map((row) => [row.package, row.remark]),
      ["left", "left"],
    ),
    "",
    head("Time"),
    ...columns(timeRows(summary, times), ["left", "right", "left"]),
    "",
    head("Where to look next"),
    "  npm run dev         starts the server over the same data, and keeps it up",
    "  npx ktk get tasks   lists, while it is up, the tasks of this audit and of earlier ones",
  ];
  return sections.join("\n");
}

function timeRows({ packages }: Summary, times: Times): readonly (readonly string[])[] {
  const rate = (packages / (times.auditMs / 1000)).toFixed(0);
  const p50 = formatMs(times.taskP50Ms);
  return [
    ["boot", formatMs(times.bootMs), "database, runtime, gateway, two worker processes"],
    ["audit", formatMs(times.auditMs), `${rate} tasks/s, p50 of a task ${p50}`],
    ["in all", formatMs(times.wholeMs), ""],
  ];
}

function table(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  aligns: readonly Align[],
): readonly string[] {
  const [first = "", ...rest] = columns([headings, ...rows], aligns);
  return [styleText("dim", first), ...rest];
}

function columns(
  rows: readonly (readonly string[])[],
  aligns: readonly Align[],
): readonly string[] {
  return alignColumns(rows, aligns).map((line) => `  ${line}`);
}

function head(title: string): string {
  return styleText("bold", title);
}
