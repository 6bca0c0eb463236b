import type { Clock } from "../../ports/clock.ts";
import type {
  DefinitionRow,
  EventRow,
  Letter,
  PipelineRow,
  TaskIdentity,
  TaskRow,
  TimerRow,
  WorkerRow,
} from "../rows.ts";
import type { Head, Hint, NodeRow } from "../store.ts";
import { byNumber, byText, Ordered } from "./ordered.ts";

/**
 * Everything that the store holds. Rows are never changed in place, so that what was answered
 * stays as it was; and no method awaits between its first read and its last write, so that each
 * is a transaction.
 */
export interface Tables {
  readonly clock: Clock;
  readonly nodes: Map<string, NodeRow>;
  /** Last batch id by (node, lane). */
  readonly batches: Map<string, Map<number, number>>;
  readonly tasks: Map<string, TaskRow>;
  readonly taskIds: Ordered<string, string>;
  /** Task by (namespace, idempotency key). */
  readonly keys: Map<string, string>;
  /** Ready unowned tasks by head: see `putTask`. */
  readonly queue: Map<string, Ordered<Queued, Queued>>;
  /** Events by actor; an actor without events is absent. */
  readonly journals: Map<string, Journal>;
  readonly timers: Ordered<TimerRow, TimerRow>;
  readonly timersByActor: Map<string, Map<TimerRow["kind"], TimerRow>>;
  /** Tasks by (parent, name). */
  readonly places: Map<string, string>;
  /** The root that did another again, by that other. */
  readonly restarts: Map<string, string>;
  /** Dependencies by dependent, dependents by dependency. */
  readonly dependencies: Map<string, Set<string>>;
  readonly dependents: Map<string, Set<string>>;
  /** Dependencies that have not ended, by dependent. */
  readonly gates: Map<string, number>;
  readonly pipelines: Map<string, PipelineRow>;
  /** In the order they were posted. */
  readonly letters: Map<string, Letter>;
  readonly workers: Map<string, WorkerRow>;
  /** Worker by (namespace, name). */
  readonly workerNames: Map<string, string>;
  readonly definitions: Map<string, DefinitionRow>;
  /** Watching nodes by task. */
  readonly watches: Map<string, Set<string>>;
  readonly listeners: Set<(hint: Hint) => void>;
}

export type Journal = Ordered<EventRow, number>;

export interface Queued {
  readonly id: string;
  readonly priority: number;
}

export function createTables(clock: Clock): Tables {
  return {
    clock,
    nodes: new Map(),
    batches: new Map(),
    tasks: new Map(),
    taskIds: new Ordered((id) => id, byText),
    keys: new Map(),
    queue: new Map(),
    journals: new Map(),
    timers: new Ordered((timer) => timer, byDueAt),
    timersByActor: new Map(),
    places: new Map(),
    restarts: new Map(),
    dependencies: new Map(),
    dependents: new Map(),
    gates: new Map(),
    pipelines: new Map(),
    letters: new Map(),
    workers: new Map(),
    workerNames: new Map(),
    definitions: new Map(),
    watches: new Map(),
    listeners: new Set(),
  };
}

/** A map's key for several columns, unambiguous whatever stands in them. */
export function compound(...columns: readonly string[]): string {
  return JSON.stringify(columns);
}

export function byPriorityAndAge(a: Queued, b: Queued): number {
  return a.priority - b.priority || byText(a.id, b.id);
}

function byDueAt(a: TimerRow, b: TimerRow): number {
  return a.dueAt - b.dueAt || byText(a.actor, b.actor) || byText(a.kind, b.kind);
}

export function headOf({ namespace, definition, version }: Head): string {
  return compound(namespace, definition, version);
}

/** Invariant Q: a task is in the queue if and only if this holds. */
export function isClaimable(task: TaskRow): boolean {
  return task.status === "ready" && task.owner === null;
}

/** The only way a task's row is written: the queue and the keys follow it. */
export function putTask(tables: Tables, task: TaskRow): void {
  const before = tables.tasks.get(task.id);
  if (before === undefined) {
    tables.taskIds.set(task.id);
    if (task.key !== null) tables.keys.set(compound(task.namespace, task.key), task.id);
    const place = placeOf(task);
    if (place !== null) tables.places.set(place, task.id);
    if (task.restart !== undefined) tables.restarts.set(task.restart.of, task.id);
  } else {
    leaveQueue(tables, before);
  }
  tables.tasks.set(task.id, task);
  if (isClaimable(task)) enterQueue(tables, task);
}

/** What is unique among the children of a parent. */
export function placeOf({ parent, place }: TaskIdentity): string | null {
  return parent === null || place === undefined ? null : compound(parent, place.name ?? "");
}

/** Deletes a task with its journal, timers, letters, watches and what it waited for. */
export function deleteTask(tables: Tables, task: TaskRow): void {
  leaveQueue(tables, task);
  tables.tasks.delete(task.id);
  tables.taskIds.delete(task.id);
  if (task.key !== null) tables.keys.delete(compound(task.namespace, task.key));
  tables.journals.delete(task.id);
  for (const { kind } of [...timersOf(tables, task.id)]) clearTimer(tables, task.id, kind);
  for (const letter of tables.letters.values()) {
    if (letter.actor === task.id) tables.letters.delete(letter.id);
  }
  tables.watches.delete(task.id);
  const place = placeOf(task);
  if (place !== null) tables.places.delete(place);
  if (task.restart !== undefined) tables.restarts.delete(task.restart.of);
  for (const dependency of tables.dependencies.get(task.id) ?? []) {
    tables.dependents.get(dependency)?.delete(task.id);
  }
  tables.dependencies.delete(task.id);
  tables.gates.delete(task.id);
}

function enterQueue(tables: Tables, task: TaskRow): void {
  const head = headOf(task);
  const queued = tables.queue.get(head) ?? new Ordered((item: Queued) => item, byPriorityAndAge);
  queued.set({ id: task.id, priority: task.priority });
  tables.queue.set(head, queued);
}

function leaveQueue(tables: Tables, task: TaskRow): void {
  if (!isClaimable(task)) return;
  const head = headOf(task);
  const queued = tables.queue.get(head);
  queued?.delete(task);
  if (queued?.size === 0) tables.queue.delete(head);
}

export function appendEvents(tables: Tables, actor: string, events: readonly EventRow[]): void {
  if (events.length === 0) return;
  const journal = tables.journals.get(actor) ?? new Ordered(({ seq }: EventRow) => seq, byNumber);
  for (const event of events) journal.set(event);
  tables.journals.set(actor, journal);
}

function timersOf(tables: Tables, actor: string): Iterable<TimerRow> {
  return tables.timersByActor.get(actor)?.values() ?? [];
}

export function setTimer(tables: Tables, timer: TimerRow): void {
  clearTimer(tables, timer.actor, timer.kind);
  const kinds = tables.timersByActor.get(timer.actor) ?? new Map();
  kinds.set(timer.kind, timer);
  tables.timersByActor.set(timer.actor, kinds);
  tables.timers.set(timer);
}

export function clearTimer(tables: Tables, actor: string, kind: TimerRow["kind"]): void {
  const kinds = tables.timersByActor.get(actor);
  const timer = kinds?.get(kind);
  if (kinds === undefined || timer === undefined) return;
  tables.timers.delete(timer);
  kinds.delete(kind);
  if (kinds.size === 0) tables.timersByActor.delete(actor);
}

export function putWorker(tables: Tables, worker: WorkerRow): void {
  tables.workers.set(worker.id, worker);
  tables.workerNames.set(compound(worker.namespace, worker.name), worker.id);
}

export function deleteWorker(tables: Tables, worker: WorkerRow): void {
  tables.workers.delete(worker.id);
  tables.workerNames.delete(compound(worker.namespace, worker.name));
  tables.journals.delete(worker.id);
}
