import type { Graph } from "../../sdk/protocol/graph.ts";
import { toChildren } from "../engine/children.ts";
import type { Engine } from "../engine/engine.ts";
import type { GraphBirth } from "../engine/messages.ts";
import { type Birth, type Expansion, expandGraph } from "../graph/expand.ts";
import type { TaskIdentity } from "../store/rows.ts";
import { reading } from "./faults.ts";

/** What is made along with a submitted task; later, when its start has come; or nothing, for it is no pipeline. */
export type Layout = Expansion | "later" | null;

/** All tasks of a pipeline whose input is known. */
export async function layOut(
  { entropy, life }: Engine,
  identity: TaskIdentity,
  graph: Graph,
): Promise<Expansion> {
  return expandGraph(graph, {
    parent: identity,
    input: JSON.parse(identity.input) as unknown,
    mintId: () => entropy.id(),
    now: identity.createdAt,
    pipelines: await reading(() => life.pipelines.findAll(identity.namespace, graph)),
  });
}

/** How a pipeline begins whose input stands. */
export function birthOf(layout: Expansion | "later"): GraphBirth {
  const isLater = layout === "later";
  return {
    composite: "pipeline",
    isBlocked: isLater,
    dependsOn: isLater ? [] : layout.members,
    children: toChildren(birthsIn(layout)),
  };
}

export function birthsIn(layout: Layout): readonly Birth[] {
  return layout === null || layout === "later" ? [] : layout.births;
}
