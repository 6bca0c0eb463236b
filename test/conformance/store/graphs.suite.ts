import { describe, expect, test } from "vitest";
import {
  endOf,
  type GraphTurn,
  submitRoot,
  submitRunningMember,
  submitWaitingMember,
} from "../../support/graph-turns.ts";
import { enlistNode } from "../../support/test-node.ts";
import { event, newId, submitEnded, turnOf } from "../../support/turns.ts";
import { gateFindings, joinOf, lettersFor, released, take } from "./graph-world.ts";
import { idsOf, sorted, type World } from "./world.ts";

/** A graph as a whole: how it loses, is cancelled, sent again, deleted and examined. */
export function describeGraphs(world: World): void {
  describe("a graph that loses", () => {
    test("its root's key takes everything under it along", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const winner = submitRoot({}, { key: "k" });
      await node.commit(winner);
      const bare = submitRoot({}, { key: "k" });
      const member = submitRunningMember({ root: bare }, node.id);
      const waiting: GraphTurn = {
        ...submitWaitingMember({ root: bare }, [member]),
        timersSet: [{ kind: "deadline", dueAt: 1 }],
      };
      const posts = [{ id: newId(), actor: waiting.id, message: released }];
      const root = { ...bare, links: { dependsOn: [waiting.id], posts } };
      const { losers, hasMail } = await node.commit(root, member, waiting);
      expect(sorted([...losers])).toEqual(sorted(idsOf([root, member, waiting])));
      expect(hasMail).toBe(false);
      expect(await store.tasks.readMany([...losers])).toEqual([]);
      for (const id of losers) expect(await store.journal.read(id, 0, 10)).toEqual([]);
      expect(await store.graphs.edges(root.id)).toEqual([]);
      expect(await store.graphs.dependenciesOf([...losers], 100)).toEqual([]);
      expect(await lettersFor(world, node)).toEqual([]);
      expect(await store.timers.untilNext()).toBeNull();
      expect(await store.doctor()).toEqual([]);
    });

    test("of two in one batch under one key exactly one is written, whole", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const graphs = Array.from({ length: 2 }, () => {
        const root = submitRoot({}, { key: "k" });
        return [root, submitRunningMember({ root }, node.id)];
      });
      const { losers } = await node.commit(...graphs.flat());
      expect(losers.size).toBe(2);
      const lost = graphs.filter(([root]) => losers.has(root?.id ?? ""));
      expect(lost).toHaveLength(1);
      expect(sorted([...losers])).toEqual(sorted(idsOf(lost.flat())));
    });

    test("a place under a parent that is taken loses, and its siblings do not", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const root = submitRoot();
      const first = submitRunningMember({ root, name: "job#1" }, node.id);
      await node.commit(root, first);
      const again = submitRunningMember({ root, name: "job#1" }, node.id);
      const sibling = submitRunningMember({ root, name: "job#2" }, node.id);
      const { losers } = await node.commit(again, sibling);
      expect([...losers]).toEqual([again.id]);
      expect((await store.graphs.child(root.id, "job#1"))?.id).toBe(first.id);
      expect((await store.graphs.child(root.id, "job#2"))?.id).toBe(sibling.id);
      expect(await store.journal.read(again.id, 0, 10)).toEqual([]);
    });

    test("a child whose place is taken takes what is under it along", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const parent = submitRoot();
      await node.commit(parent);
      const pipelineUnder = (): GraphTurn[] => {
        const child = submitRunningMember({ root: parent, name: "child#1" }, node.id);
        const under = submitRunningMember({ root: child, name: "under" }, node.id);
        return [child, { ...under, identity: { ...under.identity, root: parent.id } }];
      };
      const winner = pipelineUnder();
      expect((await node.commit(...winner)).losers.size).toBe(0);
      expect(await store.tasks.readMany(idsOf(winner))).toHaveLength(2);
      const loser = pipelineUnder();
      const { losers } = await node.commit(...loser);
      expect(sorted([...losers])).toEqual(sorted(idsOf(loser)));
      expect(await store.tasks.readMany(idsOf(loser))).toEqual([]);
      expect(await store.graphs.size(parent.id)).toBe(2);
    });

    test("a child of a root that is not there loses", async () => {
      const node = await enlistNode(world.store);
      const orphan = submitRunningMember({ root: { id: newId() } }, node.id);
      const { losers } = await node.commit(orphan);
      expect([...losers]).toEqual([orphan.id]);
      expect(await world.store.tasks.readMany([orphan.id])).toEqual([]);
    });
  });

  describe("letters of a turn", () => {
    test("to those directly under a task reach the ones that have not ended", async () => {
      const { node, root, running, join } = await joinOf(world, 2);
      const [first, second] = running;
      if (first === undefined || second === undefined) throw new Error("unreachable");
      const deeper = submitWaitingMember({ root: join, name: "deep" }, [second]);
      const grandchild = { ...deeper, identity: { ...deeper.identity, root: root.id } };
      await node.commit(endOf(first), grandchild);
      const row = await take(world, node, root);
      const toChildren = '{"type":"cancel","reason":"enough"}';
      const { hasMail } = await node.commit(turnOf(row, { links: { toChildren } }));
      expect(hasMail).toBe(true);
      const wanted = [join.id, second.id].map((id) => `${id} ${toChildren}`);
      expect(await lettersFor(world, node)).toEqual(wanted.sort());
    });

    test("to those under a task pass through ones that have ended, and no others", async () => {
      const node = await enlistNode(world.store);
      const root = submitRoot();
      const under = (parent: GraphTurn) => {
        const turn = submitRunningMember({ root: parent }, node.id);
        return { ...turn, identity: { ...turn.identity, root: root.id } };
      };
      const [first, other, live] = [under(root), under(root), under(root)];
      const second = under(first);
      const [wanted, another] = [under(second), under(other)];
      const unwanted = under(live);
      await node.commit(root, first, other, live);
      await node.commit(second, another, unwanted);
      await node.commit(wanted);
      await node.commit(...[first, other, second].map((turn) => endOf(turn)));
      const row = await take(world, node, root);
      const toChildren = '{"type":"cancel","reason":"enough"}';
      const { hasMail } = await node.commit(turnOf(row, { links: { toChildren } }));
      expect(hasMail).toBe(true);
      const addressed = [live, wanted, another].map(({ id }) => `${id} ${toChildren}`);
      expect(await lettersFor(world, node)).toEqual(addressed.sort());
    });

    test("reach those that are made in the same batch, too", async () => {
      const node = await enlistNode(world.store);
      const toChildren = '{"type":"cancel","reason":"at once"}';
      const root = submitRoot({ toChildren });
      const member = submitRunningMember({ root }, node.id);
      await node.commit(root, member);
      expect(await lettersFor(world, node)).toEqual([`${member.id} ${toChildren}`]);
    });

    test("reach the addressee they name, if it is there, once", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const root = submitRoot();
      const letter = { id: newId(), actor: root.id, message: '{"type":"released"}' };
      const nobody = { id: newId(), actor: newId(), message: "{}" };
      const { hasMail } = await node.commit({ ...root, links: { posts: [letter, nobody] } });
      expect(hasMail).toBe(true);
      const row = await take(world, node, root);
      await node.commit(turnOf(row, { links: { posts: [letter] } }));
      const collected = await store.mail.collect(node.id, 10, []);
      expect(collected.map((it) => it.letter.id)).toEqual([letter.id]);
      expect(await store.doctor()).toEqual([]);
    });
  });

  describe("a batch with links that is sent again", () => {
    test("counts nothing down twice", async () => {
      const { store } = world;
      const { node, running, join } = await joinOf(world, 2);
      const [first, second] = running;
      if (first === undefined || second === undefined) throw new Error("unreachable");
      const batch = { node: node.id, lane: 1, id: 1, turns: [endOf(first)] };
      await store.commits.commit(batch);
      expect(await store.commits.commit(batch)).toMatchObject({ losers: new Set() });
      expect(await lettersFor(world, node)).toEqual([]);
      expect(await gateFindings(world)).toEqual([]);
      const last = { node: node.id, lane: 1, id: 2, turns: [endOf(second)] };
      await store.commits.commit(last);
      // Whoever lost the first answer must look for mail all the same.
      expect(await store.commits.commit(last)).toMatchObject({ hasMail: true });
      expect(await lettersFor(world, node)).toEqual([`${join.id} ${released}`]);
    });

    test("tells the same losers", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      await node.commit(submitRoot({}, { key: "k" }));
      const root = submitRoot({}, { key: "k" });
      const member = submitRunningMember({ root }, node.id);
      const other = submitRoot();
      const batch = { node: node.id, lane: 1, id: 1, turns: [root, member, other] };
      const { losers } = await store.commits.commit(batch);
      expect(losers.size).toBe(2);
      expect((await store.commits.commit(batch)).losers).toEqual(losers);
    });
  });

  describe("retention of a graph", () => {
    test("deletes edges and gates along with it, once nothing of it moves", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const bare = submitEnded({
        place: { kind: "pipeline", name: null, graph: "{}", depth: 0, isAwaited: false },
      });
      const running = submitRunningMember({ root: bare }, node.id);
      const join = submitWaitingMember({ root: bare }, [running]);
      const root = { ...bare, links: { dependsOn: [join.id] } };
      await node.commit(root, running, join);
      expect(await store.tasks.deleteEnded((await store.now()) + 1, 10)).toBe(0);
      await node.commit(endOf(running));
      expect(await store.tasks.deleteEnded((await store.now()) + 1, 10)).toBe(0);
      const [letter] = await store.mail.collect(node.id, 10, []);
      if (letter === undefined) throw new Error("no letter");
      await node.commit(
        turnOf(letter.task, {
          letters: [letter.letter.id],
          state: { status: "skipped", owner: null, endedAt: 1 },
          events: [event(2, "task.skipped")],
          links: { hasEnded: true },
        }),
      );
      expect(await store.tasks.deleteEnded((await store.now()) + 1, 10)).toBe(1);
      expect(await store.tasks.readMany(idsOf([root, running, join]))).toEqual([]);
      expect(await store.graphs.edges(root.id)).toEqual([]);
      expect(await store.graphs.dependenciesOf(idsOf([root, running, join]), 100)).toEqual([]);
      // A gate that stayed would count dependencies of nobody.
      expect(await store.doctor()).toEqual([]);
      const again = submitRunningMember(
        { root: bare, name: running.identity.place?.name ?? "" },
        node.id,
      );
      await node.commit(bare, again);
      expect((await store.graphs.child(bare.id, again.identity.place?.name ?? ""))?.id).toBe(
        again.id,
      );
    });
  });

  describe("the doctor", () => {
    test("finds a gate that counts a dependency that has ended", async () => {
      const { node, running, join } = await joinOf(world, 2);
      const [first] = running;
      if (first === undefined) throw new Error("unreachable");
      expect(await gateFindings(world)).toEqual([]);
      await node.commit(endOf(first, {}));
      expect(await world.store.doctor()).toContainEqual({
        invariant: "gate-counts-dependencies",
        count: 1,
        examples: [expect.stringContaining(join.id)],
      });
    });

    test("finds a waiting task whose last letter was read", async () => {
      const { node, running, join } = await joinOf(world, 1);
      await node.commit(...running.map((each) => endOf(each)));
      const [letter] = await world.store.mail.collect(node.id, 10, []);
      if (letter === undefined) throw new Error("no letter");
      expect(await gateFindings(world)).toEqual([]);
      await node.commit(turnOf(letter.task, { letters: [letter.letter.id] }));
      expect(await world.store.doctor()).toContainEqual({
        invariant: "waiting-has-waker",
        count: 1,
        examples: [expect.stringContaining(join.id)],
      });
    });
  });
}
