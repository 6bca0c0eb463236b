import type { TaskRow } from "../../../runtime/store/rows.ts";
import {
  type GraphTurn,
  submitRoot,
  submitRunningMember,
  submitWaitingMember,
} from "../../support/graph-turns.ts";
import { enlistNode, type TestNode } from "../../support/test-node.ts";
import type { World } from "./world.ts";

/** What is written to a task that waits for nothing more. */
export const released = '{"type":"released"}';

/** Letters as `addressee message`, sorted; their addressees are the node's from then on. */
export async function lettersFor({ store }: World, node: TestNode): Promise<readonly string[]> {
  const collected = await store.mail.collect(node.id, 10_000, []);
  // A database may write JSON its own way.
  return collected
    .map(({ letter }) => `${letter.actor} ${JSON.stringify(JSON.parse(letter.message))}`)
    .sort();
}

export async function gateFindings({ store }: World): Promise<readonly string[]> {
  const findings = await store.doctor();
  const about = ["gate-counts-dependencies", "waiting-has-waker"];
  return findings.map(({ invariant }) => invariant).filter((it) => about.includes(it));
}

/** A task that this node does not own yet, taken, with links for its next turn. */
export async function take(
  { store }: World,
  node: TestNode,
  { id }: { id: string },
): Promise<TaskRow> {
  const [row] = await store.tasks.acquire(node.id, [id]);
  if (row === undefined) throw new Error(`${id} was not to be had`);
  return row;
}

/** A root under which some tasks run and one waits for them all. */
export async function joinOf(
  world: World,
  count: number,
): Promise<{ node: TestNode; root: GraphTurn; running: readonly GraphTurn[]; join: GraphTurn }> {
  const node = await enlistNode(world.store);
  const { root, running, join } = layOut(node, count);
  await node.commit(root, ...running, join);
  return { node, root, running, join };
}

function layOut(node: TestNode, count: number) {
  const bare = submitRoot();
  const running = Array.from({ length: count }, () => submitRunningMember({ root: bare }, node.id));
  const join = submitWaitingMember({ root: bare }, running);
  const root = { ...bare, links: { dependsOn: [join.id] } };
  return { root, running, join };
}
