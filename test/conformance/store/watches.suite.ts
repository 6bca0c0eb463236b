import { describe, expect, test } from "vitest";
import { enlistNode } from "../../support/test-node.ts";
import { newId, rowOf, submit, turnOf } from "../../support/turns.ts";
import { removeNode, sorted, type World } from "./world.ts";

export function describeWatches(world: World): void {
  describe("watches", () => {
    test("watchers names each node once, over all the tasks asked for", async () => {
      const { store } = world;
      const [one, two] = [await enlistNode(store), await enlistNode(store)];
      const [a, b] = [submit(), submit()];
      await one.commit(a, b);
      await store.watches.watch(one.id, a.id);
      await store.watches.watch(one.id, a.id);
      await store.watches.watch(one.id, b.id);
      await store.watches.watch(two.id, b.id);
      expect(await store.watches.watchers([a.id])).toEqual([one.id]);
      expect(sorted(await store.watches.watchers([a.id, b.id]))).toEqual(sorted([one.id, two.id]));
      expect(await store.watches.watchers([newId()])).toEqual([]);
      expect(await store.watches.watchers([])).toEqual([]);
    });

    test("unwatch ends one watch, and may come twice", async () => {
      const { store } = world;
      const [one, two] = [await enlistNode(store), await enlistNode(store)];
      const turn = submit();
      await one.commit(turn);
      await store.watches.watch(one.id, turn.id);
      await store.watches.watch(two.id, turn.id);
      await store.watches.unwatch(one.id, turn.id);
      await store.watches.unwatch(one.id, turn.id);
      expect(await store.watches.watchers([turn.id])).toEqual([two.id]);
    });

    test("a removed node watches nothing", async () => {
      const { store } = world;
      const [one, two] = [await enlistNode(store), await enlistNode(store)];
      const turn = submit();
      await one.commit(turn);
      await store.watches.watch(two.id, turn.id);
      await removeNode(world, two);
      expect(await store.watches.watchers([turn.id])).toEqual([]);
    });

    test("a commit tells which of its tasks another node watches", async () => {
      const { store } = world;
      const [one, two] = [await enlistNode(store), await enlistNode(store)];
      const [theirs, own, none] = [
        submit({ state: { owner: one.id } }),
        submit({ state: { owner: one.id } }),
        submit({ state: { owner: one.id } }),
      ];
      expect((await one.commit(theirs, own, none)).watched).toEqual([]);
      await store.watches.watch(two.id, theirs.id);
      await store.watches.watch(one.id, own.id);
      const batch = {
        node: one.id,
        lane: 1,
        id: 1,
        turns: [theirs, own, none].map((turn) => turnOf(rowOf(turn))),
      };
      expect((await store.commits.commit(batch)).watched).toEqual([theirs.id]);
      expect((await store.commits.commit(batch)).watched).toEqual([theirs.id]);
    });
  });
}
