import type { EndingRow, EventRow, TaskPlace, TaskRow, WorkerRow } from "../rows.ts";
import type { Row } from "./line.ts";

/** The only place where snake_case meets camelCase. */

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Readers ask for ids of any shape; those of another than this were never given out. */
export function isId(text: string): boolean {
  return uuidPattern.test(text);
}

export const taskColumns = columns([
  "id",
  "namespace",
  "definition",
  "key",
  "priority",
  "input",
  "labels",
  "metadata",
  "root",
  "parent",
  "trace",
  "created_at",
  "status",
  "version",
  "seq",
  "snapshot",
  "owner",
  "worker",
  "attempt",
  "output",
  "error",
  "started_at",
  "ended_at",
  "progress",
  "kind",
  "name",
  "graph",
  "depth",
  "awaited",
  "restart_of",
  "restart_root",
]);

/** Values of a caller's, and a pipeline's graph. */
export const largeTaskColumns = [
  "input",
  "labels",
  "metadata",
  "output",
  "error",
  "progress",
  "snapshot",
  "graph",
];

export const workerColumns = columns([
  "id",
  "namespace",
  "name",
  "instance",
  "status",
  "seq",
  "snapshot",
  "node",
  "slots",
  "labels",
  "definitions",
  "registered_at",
  "expires_at",
]);

/** Named with their table, where a statement knows more than one. */
function columns(names: readonly string[]): { readonly bare: string; of(table: string): string } {
  return {
    bare: names.join(", "),
    of: (table) => names.map((name) => `${table}.${name}`).join(", "),
  };
}

export function taskOf(row: Row): TaskRow {
  return {
    id: row["id"],
    namespace: row["namespace"],
    definition: row["definition"],
    key: row["key"],
    priority: row["priority"],
    input: row["input"],
    labels: row["labels"],
    metadata: row["metadata"],
    root: row["root"],
    parent: row["parent"],
    trace: row["trace"],
    createdAt: row["created_at"],
    status: row["status"],
    version: row["version"],
    seq: row["seq"],
    snapshot: row["snapshot"],
    owner: row["owner"],
    worker: row["worker"],
    attempt: row["attempt"],
    output: row["output"],
    error: row["error"],
    startedAt: row["started_at"],
    endedAt: row["ended_at"],
    progress: row["progress"],
    ...(row["kind"] === "task" && row["name"] === null ? {} : { place: placeOf(row) }),
    ...(row["restart_of"] === null
      ? {}
      : { restart: { of: row["restart_of"], root: row["restart_root"] } }),
  } as TaskRow;
}

export function endingOf({ id, status, output, error }: Row): EndingRow {
  return { id, status, output, error } as EndingRow;
}

function placeOf(row: Row): TaskPlace {
  return {
    kind: row["kind"],
    name: row["name"],
    graph: row["graph"],
    depth: row["depth"],
    isAwaited: row["awaited"],
  } as TaskPlace;
}

export function workerOf(row: Row): WorkerRow {
  return {
    id: row["id"],
    namespace: row["namespace"],
    name: row["name"],
    instance: row["instance"],
    status: row["status"],
    seq: row["seq"],
    snapshot: row["snapshot"],
    node: row["node"],
    slots: row["slots"],
    labels: row["labels"],
    definitions: row["definitions"],
    registeredAt: row["registered_at"],
    expiresAt: row["expires_at"],
  } as WorkerRow;
}

export function eventOf(row: Row): EventRow {
  return { seq: row["seq"], type: row["type"], at: row["at"], data: row["data"] } as EventRow;
}

export function idOf(row: Row): string {
  return String(row["id"]);
}
