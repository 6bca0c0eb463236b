import { describe, expect, test } from "vitest";
import { enlistNode } from "../../support/test-node.ts";
import { newId, submit } from "../../support/turns.ts";
import { removeNode, sorted, type World } from "./world.ts";

export function describeWatches(world: World): void {
  describe("watches", () => {
    test("watchers names who watches what, over all the tasks asked for", async () => {
      const { store } = world;
      const [one, two] = [await enlistNode(store), await enlistNode(store)];
      const [a, b] = [submit(), submit()];
      await one.commit(a, b);
      await store.watches.watch(one.id, [a.id]);
      await store.watches.watch(one.id, [a.id, b.id]);
      await store.watches.watch(two.id, [b.id]);
      expect(await store.watches.watchers([a.id])).toEqual([{ node: one.id, task: a.id }]);
      const all = await store.watches.watchers([a.id, b.id, b.id]);
      expect(sorted(all.map(({ node, task }) => `${task} by ${node}`))).toEqual(
        sorted([`${a.id} by ${one.id}`, `${b.id} by ${one.id}`, `${b.id} by ${two.id}`]),
      );
      expect(await store.watches.watchers([newId()])).toEqual([]);
      expect(await store.watches.watchers([])).toEqual([]);
    });

    test("unwatch ends one watch, and may come twice", async () => {
      const { store } = world;
      const [one, two] = [await enlistNode(store), await enlistNode(store)];
      const turn = submit();
      await one.commit(turn);
      await store.watches.watch(one.id, [turn.id]);
      await store.watches.watch(two.id, [turn.id]);
      await store.watches.unwatch(one.id, [turn.id]);
      await store.watches.unwatch(one.id, [turn.id]);
      expect(await store.watches.watchers([turn.id])).toEqual([{ node: two.id, task: turn.id }]);
    });

    test("a removed node watches nothing", async () => {
      const { store } = world;
      const [one, two] = [await enlistNode(store), await enlistNode(store)];
      const turn = submit();
      await one.commit(turn);
      await store.watches.watch(two.id, [turn.id]);
      await removeNode(world, two);
      expect(await store.watches.watchers([turn.id])).toEqual([]);
    });
  });
}
