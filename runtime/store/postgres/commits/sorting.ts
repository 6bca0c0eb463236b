import type { TaskIdentity } from "../../rows.ts";
import type { Batch, TaskTurn, Turn, WorkerTurn } from "../../turns.ts";

export interface Submit extends TaskTurn {
  readonly identity: TaskIdentity;
}

/** A batch by what is to be done with its turns, each part in the order in which locks are taken. */
export interface SortedBatch {
  /** By namespace and key. */
  readonly submits: readonly Submit[];
  /** Known tasks, by id. */
  readonly updates: readonly TaskTurn[];
  /** Workers, by id. */
  readonly registrations: readonly WorkerTurn[];
  readonly workerUpdates: readonly WorkerTurn[];
}

export function sortTurns({ turns }: Batch): SortedBatch {
  const tasks = turns.filter((turn) => turn.kind === "task");
  const workers = turns.filter((turn) => turn.kind === "worker").sort(byId);
  return {
    submits: tasks.filter(isSubmit).sort(byKey),
    updates: tasks.filter((turn) => turn.identity === null).sort(byId),
    registrations: workers.filter((turn) => turn.expectedSeq === 0),
    workerUpdates: workers.filter((turn) => turn.expectedSeq !== 0),
  };
}

/** Whether the turn leaves its task to whoever claims it. */
export function isQueued({ state }: TaskTurn): boolean {
  return state.status === "ready" && state.owner === null;
}

function isSubmit(turn: TaskTurn): turn is Submit {
  return turn.identity !== null;
}

/** Any order does that every node computes alike; those without a key wait for nobody. */
function byKey({ identity: a }: Submit, { identity: b }: Submit): number {
  return byText(a.namespace, b.namespace) || byText(a.key ?? "", b.key ?? "");
}

function byId(a: Turn, b: Turn): number {
  return byText(a.id, b.id);
}

function byText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
