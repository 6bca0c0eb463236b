import type { TaskIdentity, TaskPlace, TaskState } from "../../runtime/store/rows.ts";
import type { TaskLinks, TaskTurn } from "../../runtime/store/turns.ts";
import { event, newId, rowOf, submit, submitRunning, succeeded, turnOf } from "./turns.ts";

export type GraphTurn = TaskTurn & { readonly identity: TaskIdentity };

const pipeline = { kind: "pipeline", graph: '{"tasks":{},"result":""}' } as const;

/** The turn that makes the root of a graph: running, and nobody's. */
export function submitRoot(
  links: TaskLinks = {},
  overrides: Parameters<typeof submit>[0] = {},
): GraphTurn {
  const place: TaskPlace = { ...pipeline, name: null, depth: 0, isAwaited: false };
  const turn = submit({ place, ...overrides, state: { status: "running", ...overrides.state } });
  return { ...turn, links };
}

interface Membership {
  readonly root: { readonly id: string };
  readonly name?: string;
}

function placeIn({ root, name }: Membership): Partial<TaskIdentity> {
  const place = {
    kind: "task",
    name: name ?? newId(),
    graph: null,
    depth: 1,
    isAwaited: true,
  } as const;
  return { root: root.id, parent: root.id, place };
}

/** A task under a root that runs under `node`. */
export function submitRunningMember(membership: Membership, node: string): GraphTurn {
  return submitRunning({ node, worker: newId() }, placeIn(membership));
}

/** A task under a root that waits for these. */
export function submitWaitingMember(
  membership: Membership,
  dependsOn: readonly { readonly id: string }[],
  state: Partial<TaskState> = {},
): GraphTurn {
  const turn = submit({ ...placeIn(membership), state: { status: "waiting", ...state } });
  return { ...turn, links: { dependsOn: dependsOn.map(({ id }) => id) } };
}

/** The turn that ends a task as `submitRunningMember` made it. */
export function endOf(turn: GraphTurn, links: TaskLinks = { hasEnded: true }): TaskTurn {
  return turnOf(rowOf(turn), {
    events: [event(turn.state.seq + 1, "attempt.succeeded", { token: "1" })],
    state: succeeded,
    links,
  });
}
