import { describe, expect, test } from "vitest";
import { enlistNode } from "../../support/test-node.ts";
import { rowOf, submit } from "../../support/turns.ts";
import { expireNode, idsOf, removeNode, type World } from "./world.ts";

const head = { namespace: "default", definition: "resize", version: "" };

export function describeQueue(world: World): void {
  describe("queue", () => {
    test("claim takes ownership and leaves the queue", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit({ input: '{"b":1,"a":1.0}' });
      await node.commit(turn);
      const claimed = await store.queue.claim(node.id, [head], 10);
      expect(claimed).toEqual([{ ...rowOf(turn), owner: node.id }]);
      expect(await store.tasks.readMany([turn.id])).toEqual(claimed);
      expect(await store.queue.claim(node.id, [head], 10)).toEqual([]);
      expect(await store.queue.depth(head, 10)).toBe(0);
    });

    test("claims by priority, then by age, over all heads", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const oldLow = submit({ priority: 20 });
      const oldMiddle = submit({ priority: 10, definition: "count" });
      const middle = submit({ priority: 10 });
      const youngMiddle = submit({ priority: 10, state: { version: "2" } });
      const urgent = submit({ priority: -1, definition: "count" });
      await node.commit(youngMiddle, oldLow, urgent, middle, oldMiddle);
      const heads = [head, { ...head, version: "2" }, { ...head, definition: "count" }];
      const first = await store.queue.claim(node.id, heads, 2);
      expect(idsOf(first)).toEqual(idsOf([urgent, oldMiddle]));
      const rest = await store.queue.claim(node.id, heads, 10);
      expect(idsOf(rest)).toEqual(idsOf([middle, youngMiddle, oldLow]));
    });

    test("a head takes its namespace, its definition and its version only", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      await node.commit(
        submit({ namespace: "other" }),
        submit({ definition: "count" }),
        submit({ state: { version: "2" } }),
      );
      expect(await store.queue.claim(node.id, [head], 10)).toEqual([]);
      expect(await store.queue.claim(node.id, [{ ...head, version: "3" }], 10)).toEqual([]);
      expect(await store.queue.claim(node.id, [{ ...head, version: "2" }], 10)).toHaveLength(1);
    });

    test("a head that is named twice claims each task once", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      await node.commit(submit(), submit());
      expect(await store.queue.claim(node.id, [head, head], 10)).toHaveLength(2);
    });

    test("claims nothing without heads, and nothing for a limit of 0", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      await node.commit(submit());
      expect(await store.queue.claim(node.id, [], 10)).toEqual([]);
      expect(await store.queue.claim(node.id, [head], 0)).toEqual([]);
    });

    test("a node without a live lease claims nothing", async () => {
      const { store } = world;
      const expired = await enlistNode(store);
      const removed = await enlistNode(store);
      await expired.commit(submit());
      await expireNode(world, expired);
      await removeNode(world, removed);
      expect(await store.queue.claim(expired.id, [head], 10)).toEqual([]);
      expect(await store.queue.claim(removed.id, [head], 10)).toEqual([]);
      expect(await store.queue.depth(head, 10)).toBe(1);
    });

    test("depth counts one head up to its cap", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      await node.commit(submit(), submit(), submit(), submit({ definition: "count" }));
      expect(await store.queue.depth(head, 10)).toBe(3);
      expect(await store.queue.depth(head, 2)).toBe(2);
      expect(await store.queue.depth({ ...head, namespace: "other" }, 2)).toBe(0);
    });
  });
}
