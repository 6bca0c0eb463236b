import { describe, expect, test } from "vitest";
import type { WorkerRow } from "../../../runtime/store/rows.ts";
import { faultOf } from "../../support/fault.ts";
import { enlistNode } from "../../support/test-node.ts";
import { event, newId, register, submit, workerTurnOf } from "../../support/turns.ts";
import { expireNode, parsed, type World } from "./world.ts";

/** A worker as it was committed; only the lease is the store's own. */
function shown(row: WorkerRow) {
  const { expiresAt: _, ...rest } = parsed(row);
  return { ...rest, definitions: JSON.parse(rest.definitions) };
}

export function describeWorkerTurns(world: World): void {
  describe("commit of a worker's turn", () => {
    test("registers it, leased by the store's clock", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = register({
        name: "w",
        node: node.id,
        labels: '{"gpu":"yes"}',
        definitions: '[{"name":"resize","version":"2"}]',
        leaseMs: 60_000,
      });
      const before = await store.now();
      await node.commit(turn);
      const row = await store.workers.read(turn.id);
      expect(row && shown(row)).toEqual(shown(turn.row));
      expect(row?.expiresAt).toBeGreaterThanOrEqual(before + 60_000);
      expect(row?.expiresAt).toBeLessThanOrEqual((await store.now()) + 60_000);
      expect(await store.journal.read(turn.id, 0, 10)).toEqual(turn.events);
    });

    test("a later turn replaces its row", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const other = await enlistNode(store);
      const turn = register({ node: node.id });
      await node.commit(turn);
      const next = workerTurnOf(turn.row, {
        status: "draining",
        node: other.id,
        slots: 3,
        instance: newId(),
        labels: '{"a":"b"}',
        definitions: "[]",
        registeredAt: turn.row.registeredAt + 5,
        leaseMs: 3_600_000,
      });
      await other.commit(next);
      const row = await store.workers.read(turn.id);
      expect(row && shown(row)).toEqual(shown(next.row));
      expect(row?.expiresAt).toBeGreaterThan((await store.now()) + 3_000_000);
      expect(await store.journal.read(turn.id, 1, 10)).toEqual(next.events);
    });

    test("is stale at another seq, and writes nothing of the batch", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = register({ node: node.id });
      await node.commit(turn);
      const submitted = submit();
      const late = workerTurnOf({ ...turn.row, seq: 4 });
      expect(await faultOf(node.commit(submitted, late))).toBe("stale");
      const ghost = workerTurnOf(register().row);
      expect(await faultOf(node.commit(submitted, ghost))).toBe("stale");
      expect(await store.tasks.readMany([submitted.id])).toEqual([]);
      expect((await store.workers.read(turn.id))?.seq).toBe(1);
    });

    test("a name is taken once in a namespace", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const first = register({ name: "w" });
      await node.commit(first);
      const submitted = submit();
      const second = register({ name: "w" });
      expect(await faultOf(node.commit(submitted, second))).toMatch(/stale|refused/);
      expect(await store.tasks.readMany([submitted.id])).toEqual([]);
      expect(await store.workers.read(second.id)).toBeNull();
      expect((await store.workers.readByName("default", "w"))?.id).toBe(first.id);
      await node.commit(register({ name: "w", namespace: "other" }));
    });

    test("an id registers once", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const first = register({ slots: 1 });
      await node.commit(first);
      expect(await faultOf(node.commit(register({ id: first.id, slots: 2 })))).toMatch(
        /stale|refused/,
      );
      expect((await store.workers.read(first.id))?.slots).toBe(1);
    });

    test("commits with the turns of tasks, or not at all", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const worker = register();
      const guilty = submit({ definition: "a\0b" });
      expect(await faultOf(node.commit(worker, guilty))).toBe("refused");
      expect(await store.workers.read(worker.id)).toBeNull();
      await node.commit(worker, submit());
      expect(await store.workers.read(worker.id)).not.toBeNull();
    });

    test("is fenced like every commit, and not written twice", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const batch = { node: node.id, lane: 0, id: 1, turns: [register()] };
      await store.commits.commit(batch);
      await store.commits.commit(batch);
      await expireNode(world, node);
      const next = { ...batch, id: 2, turns: [register()] };
      expect(await faultOf(store.commits.commit(next))).toBe("fenced");
      expect(await store.workers.list("default")).toHaveLength(1);
    });

    test("is stale with an event at a seq that is taken", async () => {
      const node = await enlistNode(world.store);
      const turn = register();
      await node.commit(turn);
      const guilty = workerTurnOf(turn.row, { events: [event(1, "worker.draining")] });
      expect(await faultOf(node.commit(guilty))).toBe("stale");
    });
  });
}
