import { type TreeLine, toTreeLines } from "../../sdk/graph/render.ts";
import type { GraphView, TaskStatus } from "../../sdk/index.ts";
import { toneOfStatus } from "./task-rows.ts";
import { harmless, paint } from "./terminal.ts";

const gap = "   ";

/** One line a task: its place and name, its status, and what it comes after. */
export function formatTree(view: GraphView): string {
  const lines = toTreeLines(view).map((line) => ({ ...line, title: titleOf(line) }));
  const width = Math.max(0, ...lines.map(({ title }) => title.length));
  return lines
    .map(({ title, task: { status }, after }) => {
      const rest = after.length === 0 ? "" : `${gap}after ${after.join(", ")}`;
      const cell = paint(status, toneOfStatus(status as TaskStatus));
      return `${title.padEnd(width)}${gap}${cell}${rest}`.trimEnd();
    })
    .join("\n");
}

function titleOf({ indent, task: { name, definition, kind } }: TreeLine): string {
  // What has no name of its own is called by its kind: that is no news.
  const isNamed = definition !== name && definition !== kind;
  return harmless(`${indent}${name}${isNamed ? ` (${definition})` : ""}`);
}
