import { describe, expect, test } from "vitest";
import { faultOf } from "../../support/fault.ts";
import { enlistNode, type TestNode } from "../../support/test-node.ts";
import { newId, rowOf, submit, turnOf } from "../../support/turns.ts";
import { idsOf, removeNode, sorted, type World } from "./world.ts";

const head = { namespace: "default", definition: "resize", version: "" };

async function claimAll({ store }: World, node: TestNode): Promise<string[]> {
  const claimed: string[] = [];
  for (;;) {
    const rows = await store.queue.claim(node.id, [head], 3);
    if (rows.length === 0) return claimed;
    claimed.push(...idsOf(rows));
  }
}

export function describeTwoNodes(world: World): void {
  describe("two nodes", () => {
    test("that claim at the same time never claim the same task", async () => {
      const { store } = world;
      const nodes = [await enlistNode(store), await enlistNode(store)] as const;
      const turns = Array.from({ length: 50 }, () => submit());
      await nodes[0].commit(...turns);
      const claimed = (await Promise.all(nodes.map((node) => claimAll(world, node)))).flat();
      // A claim may find nothing while the other holds the rest: what is left is claimed now.
      claimed.push(...(await claimAll(world, nodes[0])));
      expect(sorted(claimed)).toEqual(sorted(idsOf(turns)));
    });

    test("that submit the same keys in opposite orders make each task once", async () => {
      const { store } = world;
      const nodes = [await enlistNode(store), await enlistNode(store)] as const;
      const keys = Array.from({ length: 100 }, (_, index) => `key-${index}`);
      const batches = [keys, keys.toReversed()].map((order) => order.map((key) => submit({ key })));
      const answers = await Promise.all(
        nodes.map((node, index) => node.commit(...(batches[index] ?? []))),
      );
      const losers = new Set(answers.flatMap((answer) => [...answer.losers]));
      expect(losers.size).toBe(keys.length);
      expect(await store.queue.depth(head, 1_000)).toBe(keys.length);
      const submitted = batches.flat();
      for (const key of keys) {
        const winner = await store.tasks.readByKey("default", key);
        const same = submitted.filter(({ identity }) => identity.key === key);
        expect(idsOf(same.filter(({ id }) => !losers.has(id)))).toEqual([winner?.id]);
      }
    });

    test("that turn the same task at the same time commit one turn", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit({ state: { owner: node.id } });
      await node.commit(turn);
      const next = turnOf(rowOf(turn));
      const batches = [1, 2].map((lane) => ({ node: node.id, lane, id: 1, turns: [next] }));
      const faults = await Promise.all(
        batches.map((batch) => faultOf(store.commits.commit(batch))),
      );
      expect(sorted(faults.map(String))).toEqual(["null", "stale"]);
      expect(await store.journal.read(turn.id, 0, 10)).toHaveLength(2);
    });

    test("that send the identical batch at the same time write it once", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const batch = { node: node.id, lane: 0, id: 1, turns: [submit({ key: "k" }), submit()] };
      const answers = await Promise.all([store.commits.commit(batch), store.commits.commit(batch)]);
      expect(answers.map(({ losers }) => losers.size)).toEqual([0, 0]);
      expect(await store.queue.depth(head, 10)).toBe(2);
    });

    test("that acquire the same tasks at the same time own each once", async () => {
      const { store } = world;
      const nodes = [await enlistNode(store), await enlistNode(store)] as const;
      const turns = Array.from({ length: 20 }, () => submit());
      await nodes[0].commit(...turns);
      const ids = idsOf(turns);
      const acquired = await Promise.all([
        store.tasks.acquire(nodes[0].id, ids),
        store.tasks.acquire(nodes[1].id, ids.toReversed()),
        store.queue.claim(nodes[1].id, [head], 100),
      ]);
      const byNode = new Map(nodes.map(({ id }) => [id, new Set<string>()]));
      for (const row of acquired.flat()) byNode.get(row.owner ?? "")?.add(row.id);
      const [one, two] = nodes.map(({ id }) => byNode.get(id) ?? new Set<string>());
      expect([...(one ?? [])].filter((id) => two?.has(id))).toEqual([]);
      expect((one?.size ?? 0) + (two?.size ?? 0)).toBe(turns.length);
      expect(await store.queue.depth(head, 100)).toBe(0);
    });

    test("a zombie cannot write what the other has taken over", async () => {
      const { store } = world;
      const [zombie, heir] = [await enlistNode(store), await enlistNode(store)];
      const turn = submit({ state: { owner: zombie.id } });
      await zombie.commit(turn);
      await removeNode(world, zombie);
      const [row] = await store.tasks.acquire(heir.id, [turn.id]);
      if (row === undefined) throw new Error("nothing was acquired");
      await heir.commit(turnOf(row));
      expect(await faultOf(zombie.commit(turnOf(rowOf(turn))))).toBe("fenced");
      await store.tasks.release(zombie.id, [turn.id]);
      expect(await store.tasks.read("default", turn.id)).toMatchObject({ seq: 2, owner: heir.id });
      expect(await store.nodes.free(10)).toBe(0);
      expect(await store.tasks.acquire(zombie.id, [turn.id, newId()])).toEqual([]);
    });
  });
}
