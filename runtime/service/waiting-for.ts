import { isEnded, type WaitingFor, type WorkerView } from "../../sdk/protocol/task.ts";
import type { TaskContext } from "../machines/task.context.ts";
import type { TaskRow, WorkerRow } from "../store/rows.ts";
import type { Store } from "../store/store.ts";
import { findCauses } from "./causes.ts";

/** So many of the tasks that one waits for are named. */
const namedMax = 10;
/** So many of those that wait for the same slots are counted. */
const queuedMax = 1_000;

/** Why a task does not run, in words and data; undefined when it runs or has ended. */
export async function explainWaiting(
  store: Store,
  row: TaskRow,
  now: number,
): Promise<WaitingFor | undefined> {
  return waitsForTasks(row) ? explainDependencies(store, row, now) : explainItself(store, row, now);
}

function waitsForTasks(row: TaskRow): boolean {
  if (row.status === "waiting") return !isForLater(row);
  return row.status === "running" && row.place?.graph != null;
}

async function explainItself(
  store: Store,
  row: TaskRow,
  now: number,
): Promise<WaitingFor | undefined> {
  switch (row.status) {
    case "waiting":
      return explainTimer(row, now);
    case "ready":
      return explainQueue(store, row, now);
    case "quarantined":
      return {
        reason: "quarantine",
        message: "quarantined: its worker died under it again and again",
      };
    case "paused":
      return { reason: "operator", message: "paused by an operator" };
    default:
      return undefined;
  }
}

/** A pipeline that is blocked may have a start, too: it is laid out then. */
function isForLater(row: TaskRow): boolean {
  const { graph, dueAt } = contextOf(row);
  return graph?.isBlocked !== true || typeof dueAt === "number";
}

/** Of a task that waits there is always a snapshot. */
function contextOf({ snapshot }: TaskRow): Partial<TaskContext> {
  if (snapshot === null) return {};
  return (JSON.parse(snapshot) as { context: Partial<TaskContext> }).context;
}

async function explainDependencies(
  store: Store,
  { id }: TaskRow,
  now: number,
): Promise<WaitingFor> {
  const pending = (await store.graphs.dependenciesOf([id], 0)).filter(
    ({ status }) => !isEnded(status),
  );
  const tasks = pending
    .slice(0, namedMax)
    .map(({ id: task, name, status }) => ({ task, name, status }));
  if (pending.length === 0) {
    return { reason: "dependencies", message: "its input is being made", data: { tasks } };
  }
  const explain = (row: TaskRow) => explainItself(store, row, now);
  const causes = await findCauses({ store, waitsForTasks, explain }, pending);
  const waits = `waits for ${inWords(pending.map(({ name, status }) => `${name} (${status})`))}`;
  return {
    reason: "dependencies",
    message: [waits, ...causes.map(({ name, message }) => `${name}: ${message}`)].join("; "),
    data: { tasks, pending: pending.length, ...(causes.length > 0 && { causes }) },
  };
}

function inWords(names: readonly string[]): string {
  const named = names.slice(0, namedMax).join(", ");
  return names.length <= namedMax ? named : `${named} and ${names.length - namedMax} more`;
}

function explainTimer(row: TaskRow, now: number): WaitingFor {
  const dueAt = contextOf(row).dueAt ?? now;
  const when = `${new Date(dueAt).toISOString()} (in ${Math.max(0, dueAt - now)} ms)`;
  if (row.attempt === 0) {
    return { reason: "start-time", message: `starts at ${when}`, data: { dueAt } };
  }
  return {
    reason: "backoff",
    message: `attempt ${row.attempt + 1} starts at ${when}`,
    data: { dueAt, attempt: row.attempt },
  };
}

async function explainQueue(store: Store, row: TaskRow, now: number): Promise<WaitingFor> {
  const workers = await store.workers.list(row.namespace);
  const serving = workers.filter(
    (worker) => worker.status === "serving" && worker.expiresAt > now && serves(worker, row),
  );
  const { definition, version } = row;
  const name = version === "" ? definition : `${definition}@${version}`;
  if (serving.length === 0) {
    return {
      reason: "no-worker",
      message: `no worker serves ${name}`,
      data: { definition, version },
    };
  }
  const running = await store.workers.runningCounts(serving.map(({ id }) => id));
  const isFull = serving.every(({ id, slots }) => (running.get(id) ?? 0) >= slots);
  const slots = serving.reduce((sum, worker) => sum + worker.slots, 0);
  if (!isFull)
    return { reason: "queue", message: "about to be assigned", data: { definition, slots } };
  const queued = await store.queue.depth(row, queuedMax);
  const taken = `all ${slots} slots of ${serving.length} worker(s) that serve ${name} are taken`;
  return {
    reason: "full-workers",
    message: `${taken}; ${queued}${queued < queuedMax ? "" : " or more"} wait for one`,
    data: { definition, workers: serving.length, slots, queued },
  };
}

function serves(worker: WorkerRow, row: TaskRow): boolean {
  const definitions = JSON.parse(worker.definitions) as WorkerView["definitions"];
  return definitions.some(
    (it) => it.name === row.definition && (row.version === "" || it.version === row.version),
  );
}
