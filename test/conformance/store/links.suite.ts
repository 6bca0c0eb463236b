import { describe, expect, test } from "vitest";
import type { TaskTurn } from "../../../runtime/store/turns.ts";
import { faultOf } from "../../support/fault.ts";
import {
  endOf,
  type GraphTurn,
  submitRoot,
  submitRunningMember,
  submitWaitingMember,
} from "../../support/graph-turns.ts";
import { createSeededEntropy } from "../../support/seeded-entropy.ts";
import { enlistNode, type TestNode } from "../../support/test-node.ts";
import { event, newId, rowOf, submit, turnOf } from "../../support/turns.ts";
import { gateFindings, joinOf, lettersFor, released, take } from "./graph-world.ts";
import { idsOf, sorted, type World } from "./world.ts";

export function describeLinks(world: World): void {
  describe("commit of a graph", () => {
    test("stores places, edges and what they count", async () => {
      const { store } = world;
      const { root, running, join } = await joinOf(world, 2);
      const rows = await store.tasks.readMany(idsOf([root, ...running, join]));
      expect(rows.map(({ place }) => place)).toEqual(
        expect.arrayContaining([root, ...running, join].map(({ identity }) => identity.place)),
      );
      const edges = running.map(({ id }) => ({ dependency: id, dependent: join.id }));
      const all = [...edges, { dependency: join.id, dependent: root.id }];
      expect(await store.graphs.edges(root.id)).toHaveLength(3);
      expect(await store.graphs.edges(root.id)).toEqual(expect.arrayContaining(all));
      expect(await store.graphs.size(root.id)).toBe(3);
      expect(await gateFindings(world)).toEqual([]);
    });

    test("tells of its members what a picture of them needs", async () => {
      const { store } = world;
      const { root, running, join } = await joinOf(world, 2);
      const rows = await store.tasks.readMany(idsOf([root, ...running, join]));
      const members = rows.map(({ id, definition, parent, status, place }) => {
        const { kind, name } = place ?? {};
        return { id, definition, parent, status, kind, name };
      });
      expect(await store.graphs.members(root.id)).toEqual(
        members.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
      );
      expect(await store.graphs.members(join.id)).toEqual([]);
      expect(await store.graphs.members("no-such-shape")).toEqual([]);
    });

    test("a task that stands alone has no place", async () => {
      const node = await enlistNode(world.store);
      const alone = submit();
      await node.commit(alone);
      expect(await world.store.tasks.read("default", alone.id)).not.toHaveProperty("place");
      expect(await world.store.graphs.edges(alone.id)).toEqual([]);
      expect(await world.store.graphs.size(alone.id)).toBe(0);
      const { id, identity, state } = alone;
      expect(await world.store.graphs.members(id)).toEqual([
        {
          id,
          definition: identity.definition,
          parent: null,
          status: state.status,
          kind: "task",
          name: null,
        },
      ]);
    });

    test("dependenciesOf tells what a task waited for, and how it ended", async () => {
      const { store } = world;
      const { node, running, join, root } = await joinOf(world, 2);
      const [first, second] = running;
      if (first === undefined || second === undefined) throw new Error("unreachable");
      await node.commit(endOf(first));
      const told = await store.graphs.dependenciesOf([join.id, root.id], 100);
      const rowFor = ({ identity, id }: GraphTurn, dependent: GraphTurn, state: object) => ({
        id,
        parent: identity.parent,
        name: identity.place?.name ?? "",
        dependent: dependent.id,
        ...state,
      });
      const nothing = { output: null, outputBytes: null, error: null };
      const output = '{"done":true}';
      const outputBytes = output.length;
      expect(told).toHaveLength(3);
      expect(told).toEqual(
        expect.arrayContaining([
          rowFor(first, join, { status: "succeeded", output, outputBytes, error: null }),
          rowFor(second, join, { status: "running", ...nothing }),
          rowFor(join, root, { status: "waiting", ...nothing }),
        ]),
      );
      expect(await store.graphs.dependenciesOf([], 100)).toEqual([]);
      expect(await store.graphs.dependenciesOf([newId()], 100)).toEqual([]);
    });

    test("dependenciesOf leaves outputs out that are too much together, outputsOf has them", async () => {
      const { store } = world;
      const { node, running, join } = await joinOf(world, 2);
      const output = '{"done":true}';
      await node.commit(...running.map((turn) => endOf(turn)));
      const outputs = async (bytesMax: number) =>
        (await store.graphs.dependenciesOf([join.id], bytesMax)).map((row) => row.output);
      expect(await outputs(2 * output.length)).toEqual([output, output]);
      expect(await outputs(2 * output.length - 1)).toEqual([null, null]);
      const ids = idsOf(running);
      const expected = new Map(ids.map((id) => [id, output]));
      expect(await store.graphs.outputsOf([...ids, join.id, newId()])).toEqual(expected);
      expect(await store.graphs.outputsOf([])).toEqual(new Map());
    });

    test("a child is found by its parent and its name", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const root = submitRoot();
      const child = submitRunningMember({ root, name: "job#1" }, node.id);
      await node.commit(root, child);
      expect((await store.graphs.child(root.id, "job#1"))?.id).toBe(child.id);
      expect(await store.graphs.child(root.id, "job#2")).toBeNull();
      expect(await store.graphs.child(child.id, "job#1")).toBeNull();
    });

    test("an edge that is drawn twice counts once", async () => {
      const { node, running, join } = await joinOf(world, 1);
      const row = await take(world, node, join);
      const dependsOn = idsOf(running);
      await node.commit(turnOf(row, { links: { dependsOn }, state: { owner: null } }));
      expect(await gateFindings(world)).toEqual([]);
      await node.commit(...running.map((each) => endOf(each)));
      expect(await lettersFor(world, node)).toEqual([`${join.id} ${released}`]);
    });
  });

  describe("the end of a dependency", () => {
    test("writes to its dependent when nothing else is waited for, and only then", async () => {
      const { node, running, join } = await joinOf(world, 3);
      for (const [index, each] of running.entries()) {
        expect(await lettersFor(world, node)).toEqual([]);
        const { hasMail } = await node.commit(endOf(each));
        expect(hasMail).toBe(index === 2);
        expect(await gateFindings(world)).toEqual([]);
      }
      expect(await lettersFor(world, node)).toEqual([`${join.id} ${released}`]);
    });

    test("and of another in the same batch write once", async () => {
      const { node, running, join } = await joinOf(world, 3);
      const { hasMail } = await node.commit(...running.map((each) => endOf(each)));
      expect(hasMail).toBe(true);
      expect(await lettersFor(world, node)).toEqual([`${join.id} ${released}`]);
      expect(await gateFindings(world)).toEqual([]);
    });

    test("writes to each of many dependents", async () => {
      const node = await enlistNode(world.store);
      const root = submitRoot();
      const first = submitRunningMember({ root }, node.id);
      const dependents = Array.from({ length: 50 }, () => submitWaitingMember({ root }, [first]));
      await node.commit(root, first, ...dependents);
      await node.commit(endOf(first));
      const wanted = sorted(idsOf(dependents)).map((id) => `${id} ${released}`);
      expect(await lettersFor(world, node)).toEqual(wanted);
    });

    test("is not told by a turn that does not say so", async () => {
      const { node, running, join } = await joinOf(world, 1);
      await node.commit(...running.map((each) => turnOf(rowOf(each))));
      expect(await lettersFor(world, node)).toEqual([]);
      expect((await world.store.tasks.read("default", join.id))?.status).toBe("waiting");
    });

    test("is not told by a batch that was refused", async () => {
      const { node, running } = await joinOf(world, 1);
      const ghost = turnOf(rowOf(submit({ state: { owner: node.id } })));
      const ends = running.map((each) => endOf(each));
      expect(await faultOf(node.commit(...ends, ghost))).toBe("stale");
      expect(await lettersFor(world, node)).toEqual([]);
      expect(await gateFindings(world)).toEqual([]);
    });

    test("lets a chain go link by link, each drawn by a later turn", async () => {
      const { store } = world;
      const { node, root, running, join } = await joinOf(world, 1);
      await node.commit(...running.map((each) => endOf(each)));
      const [letter] = await store.mail.collect(node.id, 10, []);
      if (letter === undefined) throw new Error("no letter");
      // What was blocked turns out to be a pipeline: what is under it is made, and waited for.
      const inner = submitRunningMember({ root: join, name: "inner" }, node.id);
      const member = { ...inner, identity: { ...inner.identity, root: root.id } };
      const beginning = turnOf(letter.task, {
        letters: [letter.letter.id],
        state: { status: "running" },
        links: { dependsOn: [inner.id], input: '{"made":1.50}' },
      });
      await node.commit(beginning, member);
      const begun = await store.tasks.read("default", join.id);
      expect(JSON.parse(begun?.input ?? "")).toEqual({ made: 1.5 });
      expect(await gateFindings(world)).toEqual([]);
      expect(await lettersFor(world, node)).toEqual([]);
      await node.commit(endOf(member));
      expect(await lettersFor(world, node)).toEqual([`${join.id} ${released}`]);
    });
  });

  describe("two lanes that end different dependencies at once", () => {
    test("open each gate once and never wait in a circle", { timeout: 60_000 }, async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const { random } = createSeededEntropy(7);
      const upTo = (count: number) => 1 + Math.floor(random() * count);
      const lastIds = [0, 0, 0];
      const commit = (lane: number, turns: readonly TaskTurn[]) => {
        const id = (lastIds[lane] ?? 0) + 1;
        lastIds[lane] = id;
        return store.commits.commit({ node: node.id, lane, id, turns });
      };
      const joins: string[] = [];
      for (let round = 0; round < 200; round += 1) {
        const root = submitRoot();
        const running = Array.from({ length: 1 + upTo(7) }, () =>
          submitRunningMember({ root }, node.id),
        );
        const waiting = Array.from({ length: upTo(6) }, () => {
          const some = running.filter(() => random() < 0.7);
          return submitWaitingMember({ root }, some.length === 0 ? running : some);
        });
        joins.push(...idsOf(waiting));
        await commit(0, [root, ...running, ...waiting]);
        const ends = running
          .map((each) => ({ end: endOf(each), at: random() }))
          .sort((a, b) => a.at - b.at)
          .map(({ end }) => end);
        const middle = upTo(ends.length - 1);
        const shares = [ends.slice(0, middle), ends.slice(middle)];
        // Any fault, contention included, would reject.
        await Promise.all(shares.map((turns, lane) => commit(lane, turns)));
      }
      const wanted = joins.map((id) => `${id} ${released}`).sort();
      expect(await lettersFor(world, node)).toEqual(wanted);
      expect(await gateFindings(world)).toEqual([]);
    });
  });

  describe("a turn that reopens an ended task", () => {
    test("is counted by those that had counted its end", async () => {
      const { store } = world;
      const { node, running, join } = await joinOf(world, 2);
      const [first, second] = running;
      if (first === undefined || second === undefined) throw new Error("unreachable");
      await node.commit(endOf(first));
      const ended = await take(world, node, first);
      const again = turnOf(ended, {
        state: { status: "running", owner: node.id, output: null, endedAt: null },
        events: [event(ended.seq + 1, "attempt.assigned", { token: "2" })],
        links: { hasReopened: true },
      });
      await node.commit(again);
      expect(await gateFindings(world)).toEqual([]);
      await node.commit(endOf(second));
      expect(await lettersFor(world, node)).toEqual([]);
      await node.commit(endOf({ ...first, state: again.state }));
      expect(await lettersFor(world, node)).toEqual([`${join.id} ${released}`]);
      expect((await store.doctor()).map(({ invariant }) => invariant)).not.toContain(
        "gate-counts-dependencies",
      );
    });
  });

  describe("a turn that asks its gate", () => {
    test("gets a letter when nothing is waited for, and none when something is", async () => {
      const { node, running, join } = await joinOf(world, 1);
      const row = await take(world, node, join);
      const asking = { events: [], links: { asksGate: true } };
      expect((await node.commit(turnOf(row, asking))).hasMail).toBe(false);
      expect(await lettersFor(world, node)).toEqual([]);
      await node.commit(...running.map((each) => endOf(each)));
      const [letter] = await world.store.mail.collect(node.id, 10, []);
      if (letter === undefined) throw new Error("no letter");
      const { hasMail } = await node.commit(
        turnOf(row, {
          ...asking,
          letters: [letter.letter.id],
          events: [event(2, "step.recorded")],
        }),
      );
      expect(hasMail).toBe(true);
      expect(await lettersFor(world, node)).toEqual([`${join.id} ${released}`]);
    });
  });

  describe("a foretold turn", () => {
    const foretold = (join: GraphTurn, node: TestNode): TaskTurn =>
      turnOf(rowOf(join), {
        state: { status: "running", owner: node.id },
        links: { isForetold: true, input: "1" },
      });

    test("goes with the end of the last dependency, and no letter says so", async () => {
      const { store } = world;
      const { node, running, join } = await joinOf(world, 2);
      const ends = running.map((each) => endOf(each));
      const { hasMail } = await node.commit(...ends, foretold(join, node));
      expect(hasMail).toBe(false);
      expect(await lettersFor(world, node)).toEqual([]);
      expect(await store.tasks.read("default", join.id)).toMatchObject({
        status: "running",
        owner: node.id,
        input: "1",
      });
      expect(await gateFindings(world)).toEqual([]);
    });

    test("is stale, and all with it, when something else is still waited for", async () => {
      const { store } = world;
      const { node, running, join } = await joinOf(world, 2);
      const ends = running.slice(1).map((each) => endOf(each));
      expect(await faultOf(node.commit(...ends, foretold(join, node)))).toBe("stale");
      expect(await store.tasks.read("default", join.id)).toMatchObject({ status: "waiting" });
      expect(await gateFindings(world)).toEqual([]);
      await node.commit(...running.map((each) => endOf(each)));
      expect(await lettersFor(world, node)).toEqual([`${join.id} ${released}`]);
    });

    test("is stale when somebody owns the task by now", async () => {
      const { store } = world;
      const { node, running, join } = await joinOf(world, 1);
      const other = await enlistNode(store);
      await take(world, other, join);
      const ends = running.map((each) => endOf(each));
      expect(await faultOf(node.commit(...ends, foretold(join, node)))).toBe("stale");
      await node.commit(...ends);
      expect(await lettersFor(world, other)).toEqual([`${join.id} ${released}`]);
    });
  });
}
