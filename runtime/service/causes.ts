import { isEnded, type WaitingFor } from "../../sdk/protocol/task.ts";
import type { TaskRow } from "../store/rows.ts";
import type { DependencyRow, GraphStore, TaskStore } from "../store/store.ts";

/** What keeps a task that others wait for. */
interface Cause {
  readonly task: string;
  /** From the task that was asked about, as `build/compile`. */
  readonly name: string;
  readonly reason: WaitingFor["reason"];
  readonly message: string;
}

interface Search {
  readonly store: { readonly graphs: GraphStore; readonly tasks: TaskStore };
  /** Whether a task waits for others, and is to be followed to them. */
  readonly waitsForTasks: (row: TaskRow) => boolean;
  /** Why a task that waits for no other does not run. */
  readonly explain: (row: TaskRow) => Promise<WaitingFor | undefined>;
}

interface Found {
  readonly id: string;
  readonly name: string;
  /** The name of what it is a part of, with a stroke behind it; empty at the top. */
  readonly path: string;
}

/** A reader wants a reason, not an inventory: so many are told, and so far is looked. */
const causesMax = 3;
const levelsMax = 8;
const rowsOfLevelMax = 10;

/** Goes down from what a task waits for to what waits for no other task. */
export async function findCauses(
  { store, waitsForTasks, explain }: Search,
  dependencies: readonly DependencyRow[],
): Promise<readonly Cause[]> {
  const causes: Cause[] = [];
  const seen = new Set<string>();
  let level: readonly Found[] = nearestFirst(dependencies).map(({ id, name }) => ({
    id,
    name,
    path: "",
  }));
  for (let depth = 0; depth < levelsMax && level.length > 0; depth += 1) {
    const looked = level.filter(({ id }) => !seen.has(id)).slice(0, rowsOfLevelMax);
    for (const { id } of looked) seen.add(id);
    const rows = new Map(
      (await store.tasks.readMany(looked.map(({ id }) => id))).map((row) => [row.id, row]),
    );
    const followed: Found[] = [];
    for (const found of looked) {
      const row = rows.get(found.id);
      if (row === undefined) continue;
      if (waitsForTasks(row)) {
        followed.push(found);
        continue;
      }
      const waiting = await explain(row);
      if (waiting === undefined) continue;
      const { reason, message } = waiting;
      causes.push({ task: row.id, name: found.path + found.name, reason, message });
      if (causes.length === causesMax) return causes;
    }
    level = await below(store, followed);
  }
  return causes;
}

async function below(
  { graphs }: Search["store"],
  followed: readonly Found[],
): Promise<readonly Found[]> {
  const from = new Map(followed.map((found) => [found.id, found]));
  const dependencies = await graphs.dependenciesOf([...from.keys()], 0);
  return nearestFirst(dependencies).map(({ id, name, parent, dependent }) => {
    const { name: above = "", path = "" } = from.get(dependent) ?? {};
    // Of what is beside it, a task is no part.
    return { id, name, path: parent === dependent ? `${path}${above}/` : path };
  });
}

/** Those that wait stand behind others that do not: the end of the way is with the rest. */
function nearestFirst(dependencies: readonly DependencyRow[]): readonly DependencyRow[] {
  const pending = dependencies.filter(({ status }) => !isEnded(status));
  return [
    ...pending.filter(({ status }) => status !== "waiting"),
    ...pending.filter(({ status }) => status === "waiting"),
  ];
}
