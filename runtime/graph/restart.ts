import { isEnded } from "../../sdk/protocol/task.ts";
import type { TaskRow } from "../store/rows.ts";
import { hasFallen, isComposite, type Tree } from "./tree.ts";

/** One task that goes on, as it was when that was decided. */
export interface Restarting {
  readonly row: TaskRow;
  readonly to: Destination;
}

/** Its input stands; it waits for others, or for its input; or its parts go on. */
type Destination = "ready" | "blocked" | "running";

/**
 * A task again, with what is under it, what came to nothing behind it, and the composites that it
 * is a part of. What succeeded stays as it is, and so does a worker's task above: it reads the new
 * outcome when it is restarted itself.
 */
export function restartOf(tree: Tree, named: TaskRow): Restarting[] {
  const again = new Set<TaskRow>();
  const open: { readonly row: TaskRow; readonly withParts: boolean }[] = [
    { row: named, withParts: true },
  ];
  const whole = new Set<TaskRow>();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { row, withParts } = next;
    if (withParts && !whole.has(row)) {
      whole.add(row);
      for (const part of tree.childrenOf(row)) add(part, true);
    }
    if (again.has(row)) continue;
    again.add(row);
    for (const dependent of tree.followersOf(row)) add(dependent, true);
    const parent = tree.parentOf(row);
    if (parent !== null && isComposite(parent)) add(parent, false);
  }
  return Array.from(again, (row) => ({ row, to: destinationOf(tree, row, again) }));

  function add(row: TaskRow, withParts: boolean): void {
    if (hasFallen(row)) open.push({ row, withParts });
  }
}

/** An input that was made stands, unless something that it was made of is made again. */
function destinationOf(tree: Tree, row: TaskRow, again: ReadonlySet<TaskRow>): Destination {
  if (isComposite(row)) return tree.childrenOf(row).length > 0 ? "running" : "blocked";
  const isAwaiting = tree
    .dependenciesOf(row)
    .some((dependency) => again.has(dependency) || !isEnded(dependency.status));
  if (isAwaiting) return "blocked";
  return row.attempt === 0 && tree.wasBornBlocked(row) ? "blocked" : "ready";
}

/**
 * A composite that would go on with parts that were made for an input of which something is made
 * again: they would end with the old one. Only a new tree lays it out anew.
 */
export function findOutdated(
  tree: Tree,
  again: readonly Restarting[],
): { readonly row: TaskRow; readonly dependency: TaskRow } | null {
  const restarted = new Set(again.map(({ row }) => row));
  for (const { row, to } of again) {
    if (to !== "running") continue;
    const isChanging = (it: TaskRow) => restarted.has(it) || !isEnded(it.status);
    const dependency = tree.namedBy(row).find(isChanging);
    if (dependency !== undefined) return { row, dependency };
  }
  return null;
}

/**
 * A task that is being decided upon right now, by ends of which some are about to be taken back: a
 * moment later it has begun, or has ended, too.
 */
export function findDeciding(
  tree: Tree,
  again: readonly Restarting[],
  isBlocked: (row: TaskRow) => boolean,
): TaskRow | null {
  const isSettled = (row: TaskRow) => tree.awaitedBy(row).every(({ status }) => isEnded(status));
  const dependents = again.flatMap(({ row }) => tree.dependentsOf(row));
  const parents = again.flatMap(({ row }) => tree.parentOf(row) ?? []);
  const deciding = [
    ...dependents.filter((row) => row.status === "waiting" && isBlocked(row)),
    ...parents.filter((row) => row.status === "running" && isComposite(row)),
  ];
  return deciding.find(isSettled) ?? null;
}
