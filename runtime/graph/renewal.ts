import type { TaskRow } from "../store/rows.ts";
import { isComposite, type Tree } from "./tree.ts";

/**
 * What a new tree makes of a task of the old one: `whole` is done again from nothing, `opened` is a
 * composite of which some parts are, and all else stays as it is.
 */
export interface Renewal {
  readonly whole: ReadonlySet<TaskRow>;
  readonly opened: ReadonlySet<TaskRow>;
}

/**
 * A task again, with all that came to nothing, and all that depends on any of these. To be skipped is
 * an end like success: it changes when something does that the task depends on.
 */
export function renewalFrom(tree: Tree, from: TaskRow): Renewal {
  const whole = new Set<TaskRow>();
  const opened = new Set<TaskRow>();
  renew(partOf(tree, from));
  for (const row of tree.rows.values()) {
    const isDone = row.status === "succeeded" || row.status === "skipped";
    if (!isDone && partOf(tree, row) === row) fell(row);
  }
  // What is done again from nothing has its parts made anew.
  for (const row of opened) if (isUnderWhole(row)) opened.delete(row);
  return { whole, opened };

  function fell(row: TaskRow): void {
    const hasParts = isComposite(row) && tree.childrenOf(row).length > 0;
    if (hasParts) open(row);
    else renew(row);
  }

  function renew(row: TaskRow): void {
    if (whole.has(row)) return;
    whole.add(row);
    follow(row);
  }

  function open(row: TaskRow): void {
    if (opened.has(row)) return;
    opened.add(row);
    follow(row);
  }

  function follow(row: TaskRow): void {
    for (const dependent of tree.followersOf(row)) renew(dependent);
    const parent = tree.parentOf(row);
    if (parent !== null) open(parent);
  }

  function isUnderWhole(row: TaskRow): boolean {
    return whole.has(row) || [...tree.ancestorsOf(row)].some((it) => whole.has(it));
  }
}

/** How many tasks are made that may run: what was skipped, and is so again, is not among them. */
export function countRenewed(tree: Tree, { whole, opened }: Renewal): number {
  const parts = [...opened].flatMap((row) => tree.childrenOf(row));
  return 1 + parts.filter((part) => whole.has(part) || opened.has(part)).length;
}

/** What a worker's task started is a part of that task: done again by it, or not at all. */
function partOf(tree: Tree, row: TaskRow): TaskRow {
  return [...tree.ancestorsOf(row)].filter((it) => !isComposite(it)).at(-1) ?? row;
}
