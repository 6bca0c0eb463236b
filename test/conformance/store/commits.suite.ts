import { describe, expect, test } from "vitest";
import { faultOf } from "../../support/fault.ts";
import { enlistNode } from "../../support/test-node.ts";
import {
  event,
  newId,
  rowOf,
  submit,
  submitRunning,
  succeeded,
  turnOf,
} from "../../support/turns.ts";
import { expireNode, parsed, removeNode, type World } from "./world.ts";

const head = { namespace: "default", definition: "resize", version: "" };

export function describeCommits(world: World): void {
  describe("commit of a submit", () => {
    test("stores the row and its journal as they were given", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit({
        key: "k",
        priority: 3,
        input: '{"z":1,"a":1.50,"big":9007199254740993}',
        labels: '{"team":"a"}',
        metadata: '{"deep":[1,{"x":null}]}',
        parent: null,
        trace: "00-trace-01",
        state: { version: "2" },
      });
      const { losers } = await node.commit(turn);
      expect([...losers]).toEqual([]);
      const row = await store.tasks.read("default", turn.id);
      expect(row && parsed(row)).toEqual(parsed(rowOf(turn)));
      expect(await store.journal.read(turn.id, 0, 10)).toEqual(turn.events);
    });

    test("puts a ready unowned task into the queue", async () => {
      const node = await enlistNode(world.store);
      await node.commit(submit());
      expect(await world.store.queue.depth(head, 10)).toBe(1);
    });

    test("keeps a task out of the queue that is waiting, running or owned", async () => {
      const node = await enlistNode(world.store);
      await node.commit(
        submit({ state: { status: "waiting" } }),
        submit({ state: { owner: node.id } }),
        submitRunning({ node: node.id, worker: newId() }),
      );
      expect(await world.store.queue.depth(head, 10)).toBe(0);
    });

    test("refuses an id that is taken, and writes nothing of the batch", async () => {
      const node = await enlistNode(world.store);
      const first = submit();
      await node.commit(first);
      const innocent = submit();
      const again = submit({
        id: first.id,
        definition: "other",
        events: [event(2, "task.submitted")],
      });
      expect(await faultOf(node.commit(innocent, again))).toMatch(/stale|refused/);
      expect(await world.store.tasks.readMany([innocent.id])).toEqual([]);
      expect((await world.store.tasks.read("default", first.id))?.definition).toBe("resize");
    });

    test("an empty batch commits", async () => {
      const node = await enlistNode(world.store);
      expect((await node.commit()).losers.size).toBe(0);
    });
  });

  describe("commit of a keyed submit", () => {
    test("loses to an earlier task of its key and writes nothing", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const winner = submit({ key: "k" });
      await node.commit(winner);
      const loser = submit({ key: "k", timersSet: [{ kind: "due", dueAt: 1 }] });
      const bystander = submit({ key: "other" });
      const { losers } = await node.commit(loser, bystander);
      expect([...losers]).toEqual([loser.id]);
      expect(await store.tasks.readMany([loser.id])).toEqual([]);
      expect(await store.journal.read(loser.id, 0, 10)).toEqual([]);
      expect(await store.queue.depth(head, 10)).toBe(2);
      expect(await store.timers.untilNext()).toBeNull();
      expect((await store.tasks.readByKey("default", "k"))?.id).toBe(winner.id);
      expect((await store.tasks.readByKey("default", "other"))?.id).toBe(bystander.id);
    });

    test("of two in one batch exactly one wins", async () => {
      const node = await enlistNode(world.store);
      const pair = [submit({ key: "k" }), submit({ key: "k" })];
      const { losers } = await node.commit(...pair);
      expect(losers.size).toBe(1);
      const winner = await world.store.tasks.readByKey("default", "k");
      expect(pair.map(({ id }) => id)).toContain(winner?.id);
      expect(losers.has(winner?.id ?? "")).toBe(false);
    });

    test("a key of another namespace is another key", async () => {
      const node = await enlistNode(world.store);
      const { losers } = await node.commit(
        submit({ key: "k" }),
        submit({ key: "k", namespace: "other" }),
      );
      expect(losers.size).toBe(0);
    });

    test("the key of an ended task stays taken", async () => {
      const node = await enlistNode(world.store);
      await node.commit(submit({ key: "k", state: succeeded }));
      const { losers } = await node.commit(submit({ key: "k" }));
      expect(losers.size).toBe(1);
    });
  });

  describe("commit of an update", () => {
    test("changes what a turn changes and nothing else", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submitRunning({ node: node.id, worker: newId() }, { labels: '{"a":"b"}' });
      await node.commit(turn);
      await store.tasks.saveProgress(turn.id, '{"at":0.50}');
      const row = rowOf(turn);
      const ending = turnOf(row, {
        events: [event(3, "attempt.succeeded", { token: "1" })],
        state: { ...succeeded, output: '{"b":1,"a":2.0}', version: "7", snapshot: '{"v":1}' },
      });
      await node.commit(ending);
      const after = await store.tasks.read("default", turn.id);
      expect(after && parsed(after)).toEqual(
        parsed({ ...row, ...ending.state, progress: '{"at":0.50}' }),
      );
      expect(await store.journal.read(turn.id, 2, 10)).toEqual(ending.events);
    });

    test("queues a task that became ready and unowned", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submitRunning({ node: node.id, worker: newId() });
      await node.commit(turn);
      await node.commit(
        turnOf(rowOf(turn), {
          events: [event(3, "attempt.lost", { token: "1" })],
          state: { status: "ready", owner: null, worker: null, version: "4" },
        }),
      );
      expect(await store.queue.depth({ ...head, version: "4" }, 10)).toBe(1);
    });

    test("is stale at another seq, and writes nothing of the batch", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const [one, two] = [submit, submit].map((make) => make({ state: { owner: node.id } }));
      if (one === undefined || two === undefined) throw new Error("unreachable");
      await node.commit(one, two);
      const submitted = submit();
      const fault = await faultOf(
        node.commit(
          submitted,
          turnOf(rowOf(one)),
          turnOf({ ...rowOf(two), seq: 2 }, { events: [event(3, "step.recorded")] }),
        ),
      );
      expect(fault).toBe("stale");
      expect(await store.tasks.readMany([submitted.id])).toEqual([]);
      expect((await store.tasks.read("default", one.id))?.seq).toBe(1);
      expect(await store.journal.read(one.id, 1, 10)).toEqual([]);
    });

    test("is stale for a task that another node owns, or none", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const other = await enlistNode(store);
      const owned = submit({ state: { owner: other.id } });
      const unowned = submit();
      await other.commit(owned, unowned);
      expect(await faultOf(node.commit(turnOf(rowOf(owned))))).toBe("stale");
      expect(await faultOf(node.commit(turnOf(rowOf(unowned))))).toBe("stale");
    });

    test("takes a ready task that nobody has claimed out of the queue, beside one of its own", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const [queued, left, own] = [submit(), submit(), submit({ state: { owner: node.id } })];
      await node.commit(queued, left, own);
      const running = { status: "running", owner: node.id, worker: newId() } as const;
      await node.commit(
        turnOf(rowOf(queued), { leavesQueue: true, state: running }),
        turnOf(rowOf(own), { state: running }),
      );
      const rows = await store.tasks.readMany([queued.id, own.id]);
      expect(rows.map(({ status, owner, seq }) => ({ status, owner, seq }))).toEqual(
        Array(2).fill({ status: "running", owner: node.id, seq: 2 }),
      );
      expect(await store.queue.depth(head, 10)).toBe(1);
      expect((await store.queue.claim(node.id, [head], 10)).map(({ id }) => id)).toEqual([left.id]);
    });

    test("takes one that this node has claimed after all", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const queued = submit();
      await node.commit(queued);
      await store.queue.claim(node.id, [head], 1);
      const running = { status: "running", owner: node.id, worker: newId() } as const;
      await node.commit(turnOf(rowOf(queued), { leavesQueue: true, state: running }));
      expect((await store.tasks.read("default", queued.id))?.status).toBe("running");
    });

    test("takes nothing beside it that was not meant to leave the queue", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const [meant, other] = [submit(), submit()];
      await node.commit(meant, other);
      const running = { status: "running", owner: node.id, worker: newId() } as const;
      const taking = node.commit(
        turnOf(rowOf(meant), { leavesQueue: true, state: running }),
        turnOf(rowOf(other), { state: running }),
      );
      expect(await faultOf(taking)).toBe("stale");
      expect(await store.queue.depth(head, 10)).toBe(2);
      expect(await store.doctor()).toEqual([]);
    });

    test("takes nothing that another node has claimed, or that has moved on", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const other = await enlistNode(store);
      const [claimed, waiting] = [submit(), submit({ state: { status: "waiting" } })];
      await node.commit(claimed, waiting);
      await store.queue.claim(other.id, [head], 1);
      const running = { status: "running", owner: node.id, worker: newId() } as const;
      for (const turn of [claimed, waiting]) {
        const taking = turnOf(rowOf(turn), { leavesQueue: true, state: running });
        expect(await faultOf(node.commit(taking))).toBe("stale");
        expect((await store.tasks.read("default", turn.id))?.seq).toBe(1);
      }
    });

    test("is stale for a task that does not exist", async () => {
      const node = await enlistNode(world.store);
      const ghost = rowOf(submit({ state: { owner: node.id } }));
      expect(await faultOf(node.commit(turnOf(ghost)))).toBe("stale");
    });

    test("a turn without events commits", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit({ state: { owner: node.id } });
      await node.commit(turn);
      await node.commit(turnOf(rowOf(turn), { events: [], state: { owner: null } }));
      expect((await store.tasks.read("default", turn.id))?.seq).toBe(1);
      expect(await store.queue.depth(head, 10)).toBe(1);
    });
  });

  describe("commit of what the database refuses", () => {
    test("an event at a seq that is taken makes the whole batch stale", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit({ state: { owner: node.id } });
      await node.commit(turn);
      const innocent = submit();
      const guilty = turnOf(rowOf(turn), {
        events: [event(1, "step.recorded")],
        state: { seq: 2 },
      });
      expect(await faultOf(node.commit(innocent, guilty))).toBe("stale");
      expect(await store.tasks.readMany([innocent.id])).toEqual([]);
      expect((await store.tasks.read("default", turn.id))?.seq).toBe(1);
      expect(await store.journal.read(turn.id, 0, 10)).toEqual(turn.events);
    });

    test("a NUL refuses the whole batch, and the others commit without the guilty one", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const innocents = [submit(), submit({ key: "k" })];
      expect(await faultOf(node.commit(...innocents, submit({ definition: "a\0b" })))).toBe(
        "refused",
      );
      expect(await store.queue.depth(head, 10)).toBe(0);
      expect((await node.commit(...innocents)).losers.size).toBe(0);
      expect(await store.queue.depth(head, 10)).toBe(2);
    });

    test("text that is not JSON refuses the batch", async () => {
      const node = await enlistNode(world.store);
      expect(await faultOf(node.commit(submit({ labels: '{"a":' })))).toBe("refused");
    });
  });

  describe("the fence of a commit", () => {
    test("a node that never enlisted is fenced", async () => {
      const commit = world.store.commits.commit({
        node: newId(),
        lane: 0,
        id: 1,
        turns: [submit()],
      });
      expect(await faultOf(commit)).toBe("fenced");
    });

    test("a node whose lease has ended is fenced, until it renews", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit();
      await expireNode(world, node);
      expect(await faultOf(node.commit(turn))).toBe("fenced");
      expect(await store.tasks.readMany([turn.id])).toEqual([]);
      await store.nodes.renew(node.id, 60_000);
      await node.commit(turn);
      expect(await store.tasks.readMany([turn.id])).toHaveLength(1);
    });

    test("a node that was removed is fenced, even for a batch it had committed", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const batch = { node: node.id, lane: 0, id: 1, turns: [submit()] };
      await store.commits.commit(batch);
      await removeNode(world, node);
      expect(await faultOf(store.commits.commit(batch))).toBe("fenced");
      expect(await faultOf(store.commits.commit({ ...batch, id: 2, turns: [submit()] }))).toBe(
        "fenced",
      );
    });

    test("the fence is judged before the turns", async () => {
      const node = await enlistNode(world.store);
      await expireNode(world, node);
      const ghost = rowOf(submit({ state: { owner: node.id } }));
      expect(await faultOf(node.commit(turnOf(ghost)))).toBe("fenced");
    });
  });

  describe("a batch that is sent again", () => {
    test("answers as it did, and writes nothing twice", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      await node.commit(submit({ key: "k" }));
      const winner = submit({ key: "fresh" });
      const loser = submit({ key: "k" });
      const batch = { node: node.id, lane: 3, id: 7, turns: [winner, loser] };
      const first = await store.commits.commit(batch);
      const second = await store.commits.commit(batch);
      expect([...first.losers]).toEqual([loser.id]);
      expect([...second.losers]).toEqual([loser.id]);
      expect(await store.queue.depth(head, 10)).toBe(2);
      expect(await store.journal.read(winner.id, 0, 10)).toHaveLength(1);
    });

    test("answers for updates that have moved on since", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit({ state: { owner: node.id } });
      const batch = { node: node.id, lane: 0, id: 1, turns: [turn] };
      await store.commits.commit(batch);
      const update = { node: node.id, lane: 1, id: 1, turns: [turnOf(rowOf(turn))] };
      await store.commits.commit(update);
      await store.commits.commit(update);
      await store.commits.commit(batch);
      expect((await store.tasks.read("default", turn.id))?.seq).toBe(2);
    });

    test("a lower id than the last one is stale", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      await store.commits.commit({ node: node.id, lane: 0, id: 5, turns: [] });
      const late = { node: node.id, lane: 0, id: 4, turns: [submit()] };
      expect(await faultOf(store.commits.commit(late))).toBe("stale");
      expect(await store.queue.depth(head, 10)).toBe(0);
    });

    test("lanes and nodes count apart", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const other = await enlistNode(store);
      await store.commits.commit({ node: node.id, lane: 0, id: 5, turns: [submit()] });
      await store.commits.commit({ node: node.id, lane: 1, id: 5, turns: [submit()] });
      await store.commits.commit({ node: other.id, lane: 0, id: 1, turns: [submit()] });
      expect(await store.queue.depth(head, 10)).toBe(3);
    });

    test("a batch that failed leaves its id free", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const ghost = turnOf(rowOf(submit({ state: { owner: node.id } })));
      const batch = { node: node.id, lane: 0, id: 1 };
      expect(await faultOf(store.commits.commit({ ...batch, turns: [ghost, submit()] }))).toBe(
        "stale",
      );
      await store.commits.commit({ ...batch, turns: [submit()] });
      expect(await store.queue.depth(head, 10)).toBe(1);
    });
  });
}
