import type { TaskKind } from "../../sdk/protocol/graph.ts";
import type { Birth } from "../graph/expand.ts";
import type { Composite } from "../machines/task.events.ts";
import type { Child } from "./messages.ts";
import { askedOf } from "./policy.ts";

/** Births as messages to the actors that they make. */
export function toChildren(births: readonly Birth[]): Child[] {
  return births.map(({ identity, vertex, version, dependsOn, isBlocked }) => ({
    identity,
    submit: {
      type: "submit",
      version,
      // One that is blocked hears of its start when it is resolved.
      startAt: "definition" in vertex && !isBlocked ? (vertex.startAt ?? null) : null,
      asked: "definition" in vertex ? askedOf(vertex) : null,
      caller: null,
      birth: {
        composite: compositeOf(identity.place?.kind),
        isBlocked: isBlocked || identity.place?.kind !== "task",
        dependsOn,
        children: [],
      },
    },
  }));
}

/** Null: a worker does it. */
export function compositeOf(kind: TaskKind | undefined): Composite | null {
  return kind === undefined || kind === "task" ? null : kind;
}
