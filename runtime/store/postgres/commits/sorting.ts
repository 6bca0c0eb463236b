import type { TaskIdentity } from "../../rows.ts";
import type { Batch, StepsTurn, TaskTurn, WorkerTurn } from "../../turns.ts";
import { idArray } from "../arrays.ts";

export interface Submit extends TaskTurn {
  readonly identity: TaskIdentity;
}

/** Of a task among others. */
export interface PlacedSubmit extends Submit {
  /** Those that wait for its end, as an array. */
  readonly dependents: string | null;
}

/** Those that wait for the end of a task that was there before, as an array. */
export interface Dependents {
  readonly id: string;
  readonly dependents: string;
}

/** A batch by what is to be done with its turns, each part in the order in which locks are taken. */
interface SortedBatch {
  /** By namespace and key. */
  readonly submits: readonly Submit[];
  /** Roots of graphs, and roots that do another again: by key. */
  readonly roots: readonly PlacedSubmit[];
  /** Known tasks of this node, by id. */
  readonly updates: readonly TaskTurn[];
  /** Known tasks that somebody waits for from now on, by id. */
  readonly awaited: readonly Dependents[];
  /** Known tasks of nobody's, by id. */
  readonly foretold: readonly TaskTurn[];
  /** Children of tasks that were there before, by parent and name. */
  readonly children: readonly PlacedSubmit[];
  /** Tasks under one of this batch, those nearest to their root first, by parent and name. */
  readonly members: readonly PlacedSubmit[];
  /** Tasks of this node of which only steps are recorded, by id. */
  readonly steps: readonly StepsTurn[];
  /** Workers, by id. */
  readonly registrations: readonly WorkerTurn[];
  readonly workerUpdates: readonly WorkerTurn[];
}

export function sortTurns({ turns }: Batch): SortedBatch {
  const tasks = turns.filter((turn) => turn.kind === "task");
  const dependents = dependentsIn(tasks);
  const submits = tasks.filter(isSubmit);
  const placed = submits
    .filter(({ identity }) => !isAlone(identity))
    .map((turn): PlacedSubmit => ({ ...turn, dependents: dependents.get(turn.id) ?? null }));
  const known = tasks.filter((turn) => turn.identity === null);
  const born = new Set(placed.map(({ id }) => id));
  const isBornHere = ({ parent }: TaskIdentity) => parent !== null && born.has(parent);
  const isChildOfKnown = ({ parent }: TaskIdentity) => parent !== null && !born.has(parent);
  const workers = turns.filter((turn) => turn.kind === "worker").sort(byId);
  return {
    submits: submits.filter(({ identity }) => isAlone(identity)).sort(byKey),
    roots: placed.filter(({ identity }) => identity.parent === null).sort(byPlace),
    children: placed.filter(({ identity }) => isChildOfKnown(identity)).sort(byPlace),
    members: placed
      .filter(({ identity }) => isBornHere(identity))
      .sort(byPlace)
      .sort(byDepth),
    updates: known.filter(({ links }) => links?.isForetold !== true).sort(byId),
    foretold: known.filter(({ links }) => links?.isForetold === true).sort(byId),
    awaited: awaitedIn(dependents, born),
    steps: turns.filter((turn) => turn.kind === "steps").sort(byId),
    registrations: workers.filter((turn) => turn.expectedSeq === 0),
    workerUpdates: workers.filter((turn) => turn.expectedSeq !== 0),
  };
}

/** Whether the turn leaves its task to whoever claims it. */
export function isQueued({ state }: TaskTurn): boolean {
  return state.status === "ready" && state.owner === null;
}

function isAlone({ place, restart }: TaskIdentity): boolean {
  return place === undefined && restart === undefined;
}

function isSubmit(turn: TaskTurn): turn is Submit {
  return turn.identity !== null;
}

/** By dependency. */
function dependentsIn(turns: readonly TaskTurn[]): ReadonlyMap<string, string> {
  const dependents = new Map<string, string[]>();
  for (const { id, links } of turns) {
    for (const dependency of links?.dependsOn ?? []) {
      const known = dependents.get(dependency);
      if (known === undefined) dependents.set(dependency, [id]);
      else known.push(id);
    }
  }
  return new Map(Array.from(dependents, ([id, ids]) => [id, idArray(ids)]));
}

function awaitedIn(
  dependents: ReadonlyMap<string, string>,
  born: ReadonlySet<string>,
): readonly Dependents[] {
  return Array.from(dependents, ([id, ids]) => ({ id, dependents: ids }))
    .filter(({ id }) => !born.has(id))
    .sort(byId);
}

export function depthOf({ identity }: Submit): number {
  return identity.place?.depth ?? 0;
}

function byDepth(a: Submit, b: Submit): number {
  return depthOf(a) - depthOf(b);
}

function byPlace(a: Submit, b: Submit): number {
  const { identity: one } = a;
  const { identity: other } = b;
  return (
    byKey(a, b) ||
    byText(one.parent ?? "", other.parent ?? "") ||
    byText(one.place?.name ?? "", other.place?.name ?? "")
  );
}

/** Any order does that every node computes alike; those without a key wait for nobody. */
function byKey({ identity: a }: Submit, { identity: b }: Submit): number {
  return byText(a.namespace, b.namespace) || byText(a.key ?? "", b.key ?? "");
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return byText(a.id, b.id);
}

function byText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
