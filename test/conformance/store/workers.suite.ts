import { describe, expect, test } from "vitest";
import { enlistNode, type TestNode } from "../../support/test-node.ts";
import { newId, register, submit, submitRunning, workerTurnOf } from "../../support/turns.ts";
import { idsOf, sorted, type World } from "./world.ts";

/** Ends the lease of workers that are attached to this node. */
async function expireWorkers(
  { store, advance }: World,
  node: TestNode,
  ids: readonly string[],
): Promise<void> {
  await store.workers.renew(node.id, ids, 1);
  await advance(5);
}

export function describeWorkers(world: World): void {
  describe("workers", () => {
    test("are read by id, by name and by namespace", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const [one, two] = [register({ name: "one" }), register({ name: "two" })];
      const elsewhere = register({ name: "one", namespace: "other" });
      await node.commit(one, two, elsewhere);
      expect((await store.workers.read(two.id))?.name).toBe("two");
      expect(await store.workers.read(newId())).toBeNull();
      expect(await store.workers.read("no-such-shape")).toBeNull();
      expect((await store.workers.readByName("default", "one"))?.id).toBe(one.id);
      expect((await store.workers.readByName("other", "one"))?.id).toBe(elsewhere.id);
      expect(await store.workers.readByName("default", "three")).toBeNull();
      expect(sorted(idsOf(await store.workers.list("default")))).toEqual(sorted([one.id, two.id]));
    });

    test("are listed in parts by id, no more of them than come to the bytes that are enough", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const definitions = JSON.stringify([{ name: "n".repeat(2_000), version: "" }]);
      const turns = ["one", "two", "three"].map((name) => register({ name, definitions }));
      await node.commit(...turns, register({ name: "one", namespace: "other" }));
      const ids = sorted(idsOf(turns));
      const part = async (page: { beyond?: string; limit?: number; bytesMax?: number }) => {
        const all = { limit: 10, bytesMax: 1_000_000 };
        const { rows, isCut } = await store.workers.listPart("default", { ...all, ...page });
        return { ids: idsOf(rows), isCut };
      };
      expect(await part({})).toEqual({ ids, isCut: false });
      expect(await part({ limit: 2 })).toEqual({ ids: ids.slice(0, 2), isCut: false });
      expect(await part({ beyond: ids[0] ?? "" })).toEqual({ ids: ids.slice(1), isCut: false });
      expect(await part({ bytesMax: 1 })).toEqual({ ids: ids.slice(0, 1), isCut: true });
      expect(await part({ bytesMax: 3_000 })).toEqual({ ids: ids.slice(0, 2), isCut: true });
    });

    test("renew extends the leases of those that are still this node's", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const other = await enlistNode(store);
      const mine = register({ node: node.id });
      const draining = register({ node: node.id, status: "draining" });
      const others = register({ node: other.id });
      const lost = register({ node: node.id, status: "lost" });
      const gone = register({ node: node.id, status: "gone" });
      await node.commit(mine, draining, others, lost, gone);
      const ids = [...idsOf([mine, draining, others, lost, gone]), newId()];
      const renewed = await store.workers.renew(node.id, ids, 3_600_000);
      expect(sorted(renewed)).toEqual(sorted([mine.id, draining.id]));
      const farAt = (await store.now()) + 3_000_000;
      expect((await store.workers.read(mine.id))?.expiresAt).toBeGreaterThan(farAt);
      expect((await store.workers.read(others.id))?.expiresAt).toBeLessThan(farAt);
    });

    test("expired finds serving and draining ones whose lease has ended", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const [serving, draining, live] = [
        register({ node: node.id }),
        register({ node: node.id, status: "draining" }),
        register({ node: node.id }),
      ];
      const lost = register({ node: node.id, status: "lost", leaseMs: 1 });
      const gone = register({ node: node.id, status: "gone", leaseMs: 1 });
      await node.commit(serving, draining, live, lost, gone);
      expect(await store.workers.expired(10)).toEqual([]);
      await expireWorkers(world, node, [serving.id, draining.id]);
      const expired = await store.workers.expired(10);
      expect(sorted(idsOf(expired))).toEqual(sorted([serving.id, draining.id]));
      expect(await store.workers.expired(1)).toHaveLength(1);
    });

    test("an expired worker that nobody has judged may renew", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = register({ node: node.id });
      await node.commit(turn);
      await expireWorkers(world, node, [turn.id]);
      expect(await store.workers.renew(node.id, [turn.id], 60_000)).toEqual([turn.id]);
      expect(await store.workers.expired(10)).toEqual([]);
    });

    test("a turn renews the lease too", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = register({ node: node.id });
      await node.commit(turn);
      await expireWorkers(world, node, [turn.id]);
      await node.commit(workerTurnOf(turn.row));
      expect(await store.workers.expired(10)).toEqual([]);
    });

    test("ofInstance finds the serving and draining ones of one process", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const instance = newId();
      const serving = register({ instance });
      const draining = register({ instance, status: "draining", namespace: "other" });
      const lost = register({ instance, status: "lost" });
      await node.commit(serving, draining, lost, register());
      const found = await store.workers.ofInstance(instance);
      expect(sorted(idsOf(found))).toEqual(sorted(idsOf([serving, draining])));
      expect(await store.workers.ofInstance(newId())).toEqual([]);
    });

    test("stranding finds lost and gone ones on which tasks still run", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const [lost, gone, serving, idle] = [
        register({ status: "lost" }),
        register({ status: "gone" }),
        register(),
        register({ status: "lost" }),
      ];
      await node.commit(lost, gone, serving, idle);
      await node.commit(
        ...[lost, gone, serving].map(({ id }) => submitRunning({ node: node.id, worker: id })),
        submit({ state: { worker: idle.id } }),
      );
      const found = await store.workers.stranding(10);
      expect(sorted(idsOf(found))).toEqual(sorted(idsOf([lost, gone])));
      expect(await store.workers.stranding(1)).toHaveLength(1);
    });

    test("runningCounts counts attempts that hold a slot", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const [busy, idle] = [newId(), newId()];
      const place = { node: node.id, worker: busy };
      await node.commit(
        submitRunning(place),
        submitRunning(place, { state: { status: "cancelling" } }),
        submitRunning({ ...place, worker: newId() }),
        submit({ state: { worker: busy } }),
      );
      const counts = await store.workers.runningCounts([busy, idle]);
      expect(counts.get(busy)).toBe(2);
      expect(counts.get(idle) ?? 0).toBe(0);
      expect(counts.size).toBeLessThanOrEqual(2);
    });

    test("deleteEnded deletes lost and gone ones that ended before, with their journals", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const serving = register();
      const lost = register({ status: "lost" });
      const gone = register({ status: "gone", name: "w" });
      await node.commit(serving, lost, gone);
      const now = await store.now();
      expect(await store.workers.deleteEnded(0, 10)).toBe(0);
      expect(await store.workers.deleteEnded(now + 3_600_000, 1)).toBe(1);
      expect(await store.workers.deleteEnded(now + 3_600_000, 10)).toBe(1);
      expect(idsOf(await store.workers.list("default"))).toEqual([serving.id]);
      expect(await store.journal.read(lost.id, 0, 10)).toEqual([]);
      expect(await store.journal.read(gone.id, 0, 10)).toEqual([]);
      await node.commit(register({ name: "w" }));
    });
  });
}
