import type { GraphTaskView, GraphView } from "../../sdk/protocol/graph.ts";
import { limits } from "../../sdk/protocol/limits.ts";
import type { TaskRow } from "../store/rows.ts";
import type { Store } from "../store/store.ts";

/** A root and all that is under it. */
export async function viewGraph(store: Store, namespace: string, root: string): Promise<GraphView> {
  const [rows, edges] = await Promise.all([
    store.tasks.list({
      namespace,
      root,
      order: "ascending",
      limit: limits.descendantsMax + 1,
    }),
    store.graphs.edges(root),
  ]);
  return {
    root,
    tasks: rows.map(toGraphTask),
    edges: edges.map(({ dependency, dependent }) => ({ from: dependency, to: dependent })),
  };
}

function toGraphTask({ id, definition, status, parent, place }: TaskRow): GraphTaskView {
  return {
    id,
    name: place?.name ?? definition,
    kind: place?.kind ?? "task",
    definition,
    status,
    ...(parent === null ? {} : { parent }),
  };
}
