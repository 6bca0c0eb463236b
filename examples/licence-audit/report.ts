import { styleText } from "node:util";
import { type Align, alignColumns, formatBytes, formatMs } from "./figures.ts";
import type { Section, Summary } from "./tasks.ts";

interface Times {
  readonly bootMs: number;
  readonly auditMs: number;
  readonly wholeMs: number;
  /** Of the packages that this process's workers looked at. */
  readonly perSecond: number;
  /** From its first assignment to its recorded end. */
  readonly taskP50Ms: number;
}

/** The report on what was found. */
export function toSections(summary: Summary): Section[] {
  const { packages, bytes, files, licences, classes, largest, toLookAt } = summary;
  const licenceRows = [
    ["licence", "class", "packages", "size"],
    ...licences.map((row) => [row.licence, row.class, count(row.packages), formatBytes(row.bytes)]),
    ["all", "", count(packages), formatBytes(bytes)],
  ];
  return [
    {
      head: `${count(packages)} packages, ${count(files)} files, ${formatBytes(bytes)}`,
      lines: [
        ...alignColumns(licenceRows, ["left", "left", "right", "right"]),
        "",
        classes.map((row) => `${row.class} ${row.packages}`).join(" · "),
      ],
    },
    {
      head: "Largest",
      lines: [
        ...alignColumns(
          largest.map((row) => [row.package, formatBytes(row.bytes)]),
          ["left", "right"],
        ),
      ],
    },
    {
      head: `To look at: ${toLookAt.length}`,
      lines: [
        ...alignColumns(
          toLookAt.map((row) => [row.package, row.remark]),
          ["left", "left"],
        ),
      ],
    },
  ];
}

/** How long it took, which only the one who waited knows. */
export function toTimeSections(times: Times, root: string): Section[] {
  const rows = [
    ["boot", formatMs(times.bootMs), "database, runtime, gateway, two worker processes"],
    [
      "audit",
      formatMs(times.auditMs),
      `${times.perSecond.toFixed(0)} tasks/s, p50 of a task ${formatMs(times.taskP50Ms)}`,
    ],
    ["in all", formatMs(times.wholeMs), ""],
  ];
  const aligns: readonly Align[] = ["left", "right", "left"];
  return [
    { head: "Time", lines: [...alignColumns(rows, aligns)] },
    {
      head: "Where to look next",
      lines: [
        "npm run dev         starts the server over the same data, and keeps it up",
        "npx ktk get tasks   lists, while it is up, the tasks of this audit and of earlier ones",
        `npx ktk graph ${root}   draws this one`,
      ],
    },
  ];
}

export function formatSections(sections: readonly Section[]): string {
  const parts = sections.map(({ head, lines }) =>
    [styleText("bold", head), ...lines.map((line) => `  ${line}`.trimEnd())].join("\n"),
  );
  return parts.join("\n\n");
}

function count(value: number): string {
  return value.toLocaleString("en");
}
