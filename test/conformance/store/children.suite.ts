import { describe, expect, test } from "vitest";
import type { TaskTurn } from "../../../runtime/store/turns.ts";
import { type GraphTurn, submitRunningMember } from "../../support/graph-turns.ts";
import { enlistNode, type TestNode } from "../../support/test-node.ts";
import { event, rowOf, submitRunning, succeeded, turnOf } from "../../support/turns.ts";
import { lettersFor } from "./graph-world.ts";
import { idsOf, sorted, type World } from "./world.ts";

const cancel = '{"type":"cancel","reason":"enough"}';

function submitParent({ id }: TestNode): GraphTurn {
  return submitRunning({ node: id, worker: id });
}

/** A task that the parent's function submits. */
function childOf(parent: GraphTurn, { id }: TestNode, name?: string): GraphTurn {
  const child = submitRunningMember({ root: parent, ...(name === undefined ? {} : { name }) }, id);
  const { place } = child.identity;
  if (place === undefined) throw new Error("unreachable");
  return { ...child, identity: { ...child.identity, place: { ...place, isAwaited: false } } };
}

/** Ends the parent, and tells its children. */
function endOf(parent: GraphTurn): TaskTurn {
  return turnOf(rowOf(parent), {
    events: [event(parent.state.seq + 1, "task.timedOut")],
    state: { ...succeeded, status: "failed", output: null },
    links: { toChildren: cancel },
  });
}

export function describeChildren(world: World): void {
  /** A commit in a lane of its own. */
  function inLanes({ id: node }: TestNode) {
    const lastIds = [0, 0];
    return (lane: number, turns: readonly TaskTurn[]) => {
      const id = (lastIds[lane] ?? 0) + 1;
      lastIds[lane] = id;
      return world.store.commits.commit({ node, lane, id, turns });
    };
  }

  describe("a child of a task", () => {
    test.each(["waiting", "ready", "cancelling", "failed", "quarantined"] as const)(
      "that is %s loses, with all that is under it",
      async (status) => {
        const { store } = world;
        const node = await enlistNode(store);
        const bare = submitParent(node);
        const parent = { ...bare, state: { ...bare.state, status } };
        await node.commit(parent);
        const child = childOf(parent, node);
        const below = childOf(child, node);
        const grandchild = { ...below, identity: { ...below.identity, root: parent.id } };
        const { losers } = await node.commit(child, grandchild);
        expect(sorted([...losers])).toEqual(sorted(idsOf([child, grandchild])));
        expect(await store.graphs.size(parent.id)).toBe(0);
      },
    );

    test("that ends in the same batch loses, wherever in it", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const parents = [submitParent(node), submitParent(node)] as const;
      await node.commit(...parents);
      const children = parents.map((parent) => childOf(parent, node));
      const ends = parents.map(endOf);
      const [before, after] = children;
      const turns = [before, ...ends, after].filter((turn) => turn !== undefined);
      expect([...(await node.commit(...turns)).losers].sort()).toEqual(idsOf(children).sort());
      expect(await lettersFor(world, node)).toEqual([]);
    });

    test("that ends in another lane loses, or is told", { timeout: 60_000 }, async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const commit = inLanes(node);
      const wanted: string[] = [];
      for (let round = 0; round < 100; round += 1) {
        const parents = Array.from({ length: 5 }, () => submitParent(node));
        await commit(0, parents);
        const children = parents.map((parent) => childOf(parent, node));
        const [{ losers }] = await Promise.all([
          commit(0, children),
          commit(1, parents.map(endOf)),
        ]);
        wanted.push(...idsOf(children).filter((id) => !losers.has(id)));
      }
      expect(await lettersFor(world, node)).toEqual(wanted.map((id) => `${id} ${cancel}`).sort());
    });

    test("never waits in a circle for one that another lane's child waits for", async () => {
      const node = await enlistNode(world.store);
      const commit = inLanes(node);
      for (let round = 0; round < 50; round += 1) {
        const [one, other] = [submitParent(node), submitParent(node)];
        await commit(0, [one, other]);
        // Any fault, contention included, would reject.
        await Promise.all([
          commit(0, [childOf(one, node), endOf(other)]),
          commit(1, [childOf(other, node), endOf(one)]),
        ]);
      }
    });

    test("loses to the one that has its name, in whatever lane", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const commit = inLanes(node);
      const parent = submitParent(node);
      await commit(0, [parent]);
      const children = [childOf(parent, node, "k#1"), childOf(parent, node, "k#1")];
      const answers = await Promise.all(children.map((child, lane) => commit(lane, [child])));
      expect(answers.flatMap(({ losers }) => [...losers])).toHaveLength(1);
      expect(await store.graphs.size(parent.id)).toBe(1);
    });
  });
}
