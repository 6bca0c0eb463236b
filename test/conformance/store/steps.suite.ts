import { describe, expect, test } from "vitest";
import { faultOf } from "../../support/fault.ts";
import { enlistNode, type TestNode } from "../../support/test-node.ts";
import {
  event,
  newId,
  register,
  rowOf,
  stepsOf,
  submit,
  submitRunning,
  succeeded,
  turnOf,
} from "../../support/turns.ts";
import { removeNode, type World } from "./world.ts";

/** A tail tells which steps there are, and not what came of them. */
function tailOf(seqs: readonly number[]) {
  return seqs.map((seq) =>
    event(seq, "step.recorded", { token: "1", step: `step-${seq}`, occurrence: 1 }),
  );
}

export function describeSteps(world: World): void {
  async function running(node: TestNode) {
    const worker = register({ node: node.id });
    const turn = submitRunning({ node: node.id, worker: worker.id });
    await node.commit(worker, turn);
    return rowOf(turn);
  }

  describe("commit of steps", () => {
    test("writes their events, and leaves the row as it is", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const row = await running(node);
      const steps = stepsOf(row.id, { after: 2, count: 3 });
      await node.commit(steps);
      expect(await store.tasks.read("default", row.id)).toMatchObject({
        seq: 2,
        snapshot: row.snapshot,
      });
      expect(await store.journal.read(row.id, 2, 10)).toEqual(steps.events);
      expect(await store.doctor()).toEqual([]);
    });

    test("is followed by a turn that expects the row where it is", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const row = await running(node);
      await node.commit(stepsOf(row.id, { after: 2 }));
      const end = turnOf(row, {
        state: { ...succeeded, seq: 4 },
        events: [event(4, "attempt.succeeded", { token: "1" })],
      });
      await node.commit(end);
      expect((await store.tasks.read("default", row.id))?.seq).toBe(4);
      expect(await store.doctor()).toEqual([]);
    });

    test("of tasks that another node owns, or nobody, is stale and writes nothing", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const other = await enlistNode(store);
      const row = await running(other);
      const idle = submit();
      await node.commit(idle);
      const innocent = submit();
      const ofOther = node.commit(innocent, stepsOf(row.id, { after: 2 }));
      expect(await faultOf(ofOther)).toBe("stale");
      expect(await faultOf(node.commit(stepsOf(idle.id, { after: 1 })))).toBe("stale");
      expect(await faultOf(node.commit(stepsOf(newId(), { after: 1 })))).toBe("stale");
      expect(await store.journal.read(row.id, 2, 10)).toEqual([]);
      expect(await store.tasks.readMany([innocent.id])).toEqual([]);
    });

    test("at a seq that is taken is stale", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const row = await running(node);
      expect(await faultOf(node.commit(stepsOf(row.id, { after: 1 })))).toBe("stale");
      await node.commit(stepsOf(row.id, { after: 2 }));
      expect(await faultOf(node.commit(stepsOf(row.id, { after: 2 })))).toBe("stale");
    });

    test("of a task that another node has taken over is stale", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const other = await enlistNode(store);
      const row = await running(node);
      await store.tasks.acquire(other.id, [row.id], row.worker ?? "");
      expect(await faultOf(node.commit(stepsOf(row.id, { after: 2 })))).toBe("stale");
      await other.commit(stepsOf(row.id, { after: 2 }));
    });

    test("that is sent again is answered as the first time", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const row = await running(node);
      const turns = [stepsOf(row.id, { after: 2 })];
      const batch = { node: node.id, lane: 1, id: 1, turns };
      const { losers } = await store.commits.commit(batch);
      expect((await store.commits.commit(batch)).losers).toEqual(losers);
      expect(await store.journal.read(row.id, 2, 10)).toHaveLength(1);
    });
  });

  describe("the tail of steps", () => {
    test("comes with a task that is taken, by whatever way", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const other = await enlistNode(store);
      const row = await running(node);
      await node.commit(stepsOf(row.id, { after: 2, count: 2 }));
      const deadline = turnOf(
        { ...row, seq: 4 },
        { events: [], state: {}, timersSet: [{ kind: "deadline", dueAt: 0 }] },
      );
      // The row stays behind: this turn tells of a timer and of nothing else.
      await node.commit({ ...deadline, expectedSeq: 2, state: { ...deadline.state, seq: 2 } });
      await store.mail.post({ id: newId(), actor: row.id, message: "{}" });
      const tail = tailOf([3, 4]);
      await removeNode(world, node);
      const [letter] = await store.mail.collect(other.id, 10, []);
      expect(letter?.task.tail).toEqual(tail);
      const [due] = await store.timers.takeDue(other.id, 10);
      expect(due?.task.tail).toEqual(tail);
      const [acquired] = await store.tasks.acquire(other.id, [row.id]);
      expect(acquired?.tail).toEqual(tail);
      const [ofWorker] = await store.tasks.acquireOfWorker(other.id, row.worker ?? "");
      expect(ofWorker?.tail).toEqual(tail);
    });

    test("of a row without a snapshot is its whole journal", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const row = await running(node);
      const noted = turnOf(row, {
        state: { seq: 3, snapshot: null },
        events: [event(3, "attempt.late", { outcome: "failed", at: [1, null] })],
      });
      await node.commit(noted);
      await node.commit(stepsOf(row.id, { after: 3, count: 2 }));
      const [taken] = await store.tasks.acquire(node.id, [row.id]);
      const journal = await store.journal.read(row.id, 0, 10);
      expect(taken?.snapshot).toBeNull();
      expect(taken?.tail).toEqual([...journal.slice(0, 3), ...tailOf([4, 5])]);
    });

    test("is absent where there is none, and from rows that are only read", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const row = await running(node);
      const [before] = await store.tasks.acquire(node.id, [row.id]);
      expect(before).not.toHaveProperty("tail");
      await node.commit(stepsOf(row.id, { after: 2 }));
      expect(await store.tasks.read("default", row.id)).not.toHaveProperty("tail");
    });
  });
}
