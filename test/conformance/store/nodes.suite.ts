import { describe, expect, test } from "vitest";
import { enlistNode } from "../../support/test-node.ts";
import { newId, rowOf, submit, submitRunning } from "../../support/turns.ts";
import { expireNode, removeNode, type World } from "./world.ts";

const head = { namespace: "default", definition: "resize", version: "" };

export function describeNodes(world: World): void {
  describe("nodes", () => {
    test("enlist makes a lease by the store's clock", async () => {
      const { store } = world;
      const incarnation = newId();
      const before = await store.now();
      const { now } = await store.nodes.enlist(
        { incarnation, host: "h", pid: 7, processStart: "99" },
        60_000,
      );
      expect(now).toBeGreaterThanOrEqual(before);
      const [row] = await store.nodes.list();
      expect(row).toMatchObject({ incarnation, host: "h", pid: 7, processStart: "99" });
      expect(row?.expiresAt).toBeGreaterThanOrEqual(before + 60_000);
      expect(row?.expiresAt).toBeLessThanOrEqual((await store.now()) + 60_000);
    });

    test("renew extends the lease and counts the nodes", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      await enlistNode(store);
      const renewed = await store.nodes.renew(node.id, 3_600_000);
      expect(renewed?.nodes).toBe(2);
      const row = (await store.nodes.list()).find(({ incarnation }) => incarnation === node.id);
      expect(row?.expiresAt).toBeGreaterThan((await store.now()) + 3_000_000);
    });

    test("expired names those whose lease has ended, and only them", async () => {
      const { store } = world;
      const dead = await enlistNode(store);
      await enlistNode(store);
      expect(await store.nodes.expired()).toEqual([]);
      await expireNode(world, dead);
      expect(await store.nodes.expired()).toEqual([dead.id]);
    });

    test("an expired node that is not removed may renew", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      await expireNode(world, node);
      expect(await store.nodes.renew(node.id, 60_000)).not.toBeNull();
      expect(await store.nodes.expired()).toEqual([]);
    });

    test("a removed node is gone: it renews to null and cannot come back", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      await removeNode(world, node);
      await removeNode(world, node);
      expect(await store.nodes.renew(node.id, 60_000)).toBeNull();
      expect(await store.nodes.list()).toEqual([]);
      expect(await store.nodes.expired()).toEqual([]);
    });

    test("free takes the tasks of removed nodes, in batches, until there are none", async () => {
      const { store } = world;
      const dead = await enlistNode(store);
      const live = await enlistNode(store);
      const worker = newId();
      const turns = [
        submit({ state: { owner: dead.id } }),
        submit({ state: { owner: dead.id, status: "waiting" } }),
        submitRunning({ node: dead.id, worker }),
      ];
      await dead.commit(...turns);
      const kept = submit({ state: { owner: live.id } });
      await live.commit(kept);
      expect(await store.nodes.free(10)).toBe(0);

      await removeNode(world, dead);
      expect(await store.nodes.free(2)).toBe(2);
      expect(await store.nodes.free(2)).toBe(1);
      expect(await store.nodes.free(2)).toBe(0);

      for (const turn of turns) {
        const row = await store.tasks.read("default", turn.id);
        expect(row).toEqual({ ...rowOf(turn), owner: null });
      }
      expect((await store.tasks.read("default", kept.id))?.owner).toBe(live.id);
      expect(await store.queue.depth(head, 10)).toBe(1);
    });

    test("free leaves the tasks of an expired node that was not removed", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit({ state: { owner: node.id } });
      await node.commit(turn);
      await expireNode(world, node);
      expect(await store.nodes.free(10)).toBe(0);
      expect((await store.tasks.read("default", turn.id))?.owner).toBe(node.id);
    });
  });
}
