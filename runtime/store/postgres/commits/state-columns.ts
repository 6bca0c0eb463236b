import type { TaskTurn } from "../../turns.ts";
import type { Column } from "./columns.ts";

/** What turns change. */
export const stateColumns: readonly Column<TaskTurn>[] = [
  { name: "status", type: "text", cell: ({ state }) => state.status },
  { name: "version", type: "text", cell: ({ state }) => state.version },
  { name: "seq", type: "int", cell: ({ state }) => state.seq },
  { name: "snapshot", type: "json", cell: ({ state }) => state.snapshot },
  { name: "owner", type: "uuid", cell: ({ state }) => state.owner },
  { name: "worker", type: "uuid", cell: ({ state }) => state.worker },
  { name: "attempt", type: "int", cell: ({ state }) => state.attempt },
  { name: "output", type: "json", cell: ({ state }) => state.output },
  { name: "error", type: "json", cell: ({ state }) => state.error },
  { name: "started_at", type: "instant", cell: ({ state }) => state.startedAt },
  { name: "ended_at", type: "instant", cell: ({ state }) => state.endedAt },
];
