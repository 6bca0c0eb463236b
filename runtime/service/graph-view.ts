import type { GraphTaskView, GraphView } from "../../sdk/protocol/graph.ts";
import type { MemberRow, Store } from "../store/store.ts";

/** A root and all that is under it. */
export async function viewGraph({ graphs }: Store, root: string): Promise<GraphView> {
  const [members, edges] = await Promise.all([graphs.members(root), graphs.edges(root)]);
  return {
    root,
    tasks: members.map(toGraphTask),
    edges: edges.map(({ dependency, dependent }) => ({ from: dependency, to: dependent })),
  };
}

function toGraphTask({ id, definition, status, parent, kind, name }: MemberRow): GraphTaskView {
  return {
    id,
    name: name ?? definition,
    kind,
    definition,
    status,
    ...(parent === null ? {} : { parent }),
  };
}
