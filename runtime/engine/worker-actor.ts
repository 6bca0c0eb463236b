import type { ServedDefinition, WorkerPort } from "../../sdk/protocol/service.ts";
import { createFold, type Standing, type StoredSnapshot } from "../machines/fold.ts";
import { type WorkerEvent, workerMachine } from "../machines/worker.machine.ts";
import type { EventRow, WorkerRow } from "../store/rows.ts";
import type { Head } from "../store/store.ts";
import type { WorkerTurn } from "../store/turns.ts";

const workerFold = createFold(workerMachine);
type WorkerSnapshot = Standing<typeof workerMachine>;

/** An attempt that the worker has: in one of its slots, unless it is suspended or reported. */
export interface Holding {
  readonly token: string;
  readonly task: string;
  readonly isSuspect: boolean;
  /** When the assignment was sent, monotonic; null until its commit. */
  sentAt: number | null;
  /** Heartbeats in a row that did not list it. */
  missedBeats: number;
  /** The task ended without it; the slot is free when the worker says so or its process ends. */
  isAbandoned: boolean;
  /** It waits for other tasks, in its process's memory, and takes no slot meanwhile. */
  isSuspended: boolean;
  /** Its process is done with it; it is held until that is recorded, and takes no slot meanwhile. */
  isReported: boolean;
}

/** A worker attached to this node: its committed row, its way out, and what it holds. */
export interface WorkerActor {
  row: WorkerRow;
  port: WorkerPort | null;
  readonly holdings: Map<string, Holding>;
  readonly definitions: readonly ServedDefinition[];
  readonly heads: readonly Head[];
  /** Its place in the claims: workers that serve the same share one. */
  readonly headsKey: string;
  readonly suspects: Set<string>;
  /** How many of its holdings take no slot, for either reason; none is both. */
  suspended: number;
  reported: number;
  lastBeatAt: number;
  cancelGrace: (() => void) | null;
}

export function slotsTaken({ holdings, suspended, reported }: WorkerActor): number {
  return holdings.size - suspended - reported;
}

export function freeSlots(worker: WorkerActor): number {
  if (worker.port === null || worker.row.status !== "serving") return 0;
  return worker.row.slots - slotsTaken(worker);
}

/** A version serves its own tasks and those that name none. */
export function headsOf(namespace: string, definitions: readonly ServedDefinition[]): Head[] {
  const heads = new Map<string, Head>();
  for (const { name, version } of definitions) {
    for (const served of version === undefined || version === "" ? [""] : [version, ""]) {
      const head = { namespace, definition: name, version: served };
      heads.set(headKey(head), head);
    }
  }
  return [...heads.values()];
}

export function headKey({ namespace, definition, version }: Head): string {
  return `${namespace}\n${definition}\n${version}`;
}

/** Folds one event; null when the worker's machine does not accept it. */
export function foldWorker(row: WorkerRow | null, event: WorkerEvent): WorkerSnapshot | null {
  const before = row === null || row.seq === 0 ? workerFold.initial : restoreWorker(row);
  const { snapshot } = workerFold.next(before, event);
  return snapshot === before ? null : snapshot;
}

export function restoreWorker(row: WorkerRow): WorkerSnapshot {
  return workerFold.restore(JSON.parse(row.snapshot) as StoredSnapshot);
}

/** The rows of a worker's turn. `row` carries what the event changes besides the machine's state. */
export function draftWorkerTurn(
  row: WorkerRow,
  snapshot: WorkerSnapshot,
  turn: { event: WorkerEvent; now: number; leaseMs: number },
): WorkerTurn {
  const { type, ...data } = turn.event;
  const events: EventRow[] = [{ seq: row.seq + 1, type, at: turn.now, data: JSON.stringify(data) }];
  const after: WorkerRow = {
    ...row,
    seq: row.seq + 1,
    status: snapshot.value as WorkerRow["status"],
    snapshot: JSON.stringify(workerFold.stored(snapshot)),
  };
  return {
    kind: "worker",
    id: row.id,
    expectedSeq: row.seq,
    row: after,
    leaseMs: turn.leaseMs,
    events,
  };
}
