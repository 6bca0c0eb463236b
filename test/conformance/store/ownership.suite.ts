import { describe, expect, test } from "vitest";
import { enlistNode, type TestNode } from "../../support/test-node.ts";
import { newId, rowOf, submit, submitRunning, turnOf } from "../../support/turns.ts";
import { expireNode, idsOf, removeNode, sorted, type World } from "./world.ts";

const head = { namespace: "default", definition: "resize", version: "" };

/** Every way to take a task, with one task for it to take. */
const takings: readonly {
  readonly name: string;
  take(world: World, node: TestNode): Promise<readonly unknown[]>;
}[] = [
  { name: "claim", take: ({ store }, node) => store.queue.claim(node.id, [head], 10) },
  {
    name: "acquire",
    async take({ store }, node) {
      const tasks = await store.tasks.list({ namespace: "default", order: "ascending", limit: 10 });
      return store.tasks.acquire(node.id, idsOf(tasks));
    },
  },
  { name: "takeDue", take: ({ store }, node) => store.timers.takeDue(node.id, 10) },
  { name: "collect", take: ({ store }, node) => store.mail.collect(node.id, 10, []) },
];

export function describeOwnership(world: World): void {
  describe("ownership", () => {
    for (const { name, take } of takings) {
      test(`${name} takes nothing for a node without a live lease`, async () => {
        const { store } = world;
        const live = await enlistNode(store);
        const expired = await enlistNode(store);
        const removed = await enlistNode(store);
        const turn = submit({ timersSet: [{ kind: "due", dueAt: 1 }] });
        await live.commit(turn);
        await store.mail.post({ id: newId(), actor: turn.id, message: "{}" });
        await expireNode(world, expired);
        await removeNode(world, removed);
        expect(await take(world, expired)).toEqual([]);
        expect(await take(world, removed)).toEqual([]);
        expect((await store.tasks.read("default", turn.id))?.owner).toBeNull();
        expect(await take(world, live)).toHaveLength(1);
        expect((await store.tasks.read("default", turn.id))?.owner).toBe(live.id);
        expect(await store.queue.depth(head, 10)).toBe(0);
      });
    }

    test("acquire takes what no live node owns, and what this node owns", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const other = await enlistNode(store);
      const expired = await enlistNode(store);
      const removed = await enlistNode(store);
      const own = submit({ state: { owner: node.id, status: "waiting" } });
      const unowned = submit({ state: { status: "waiting" } });
      const ready = submit();
      const others = submit({ state: { owner: other.id } });
      const expireds = submit({ state: { owner: expired.id } });
      const orphaned = submit({ state: { owner: removed.id } });
      await node.commit(own, unowned, ready);
      await other.commit(others);
      await expired.commit(expireds);
      await removed.commit(orphaned);
      await expireNode(world, expired);
      await removeNode(world, removed);

      const all = idsOf([own, unowned, ready, others, expireds, orphaned]);
      const acquired = await store.tasks.acquire(node.id, [...all, newId()]);
      const taken = [own, unowned, ready, orphaned];
      expect(sorted(idsOf(acquired))).toEqual(sorted(idsOf(taken)));
      for (const turn of taken) {
        const row = { ...rowOf(turn), owner: node.id };
        expect(acquired.find(({ id }) => id === turn.id)).toEqual(row);
        expect(await store.tasks.read("default", turn.id)).toEqual(row);
      }
      expect((await store.tasks.read("default", others.id))?.owner).toBe(other.id);
      expect((await store.tasks.read("default", expireds.id))?.owner).toBe(expired.id);
      expect(await store.queue.depth(head, 10)).toBe(0);
    });

    test("acquire with a worker takes what runs on it from a live node", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const other = await enlistNode(store);
      const worker = newId();
      const place = { node: other.id, worker };
      const running = submitRunning(place);
      const cancelling = submitRunning(place, { state: { status: "cancelling" } });
      const elsewhere = submitRunning({ node: other.id, worker: newId() });
      const waiting = submit({ state: { status: "waiting", owner: other.id, worker } });
      await other.commit(running, cancelling, elsewhere, waiting);
      const ids = idsOf([running, cancelling, elsewhere, waiting]);
      expect(await store.tasks.acquire(node.id, ids)).toEqual([]);
      const acquired = await store.tasks.acquire(node.id, ids, worker);
      expect(sorted(idsOf(acquired))).toEqual(sorted(idsOf([running, cancelling])));
      expect(acquired.map(({ owner }) => owner)).toEqual([node.id, node.id]);
    });

    test("acquireOfWorker takes all that runs on a worker, whoever owns it", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const other = await enlistNode(store);
      const worker = newId();
      const running = submitRunning({ node: other.id, worker });
      const cancelling = submitRunning(
        { node: other.id, worker },
        { state: { status: "cancelling", owner: null } },
      );
      await other.commit(
        running,
        cancelling,
        submitRunning({ node: other.id, worker: newId() }),
        submit(),
      );
      const acquired = await store.tasks.acquireOfWorker(node.id, worker);
      expect(sorted(idsOf(acquired))).toEqual(sorted(idsOf([running, cancelling])));
      for (const row of acquired) {
        expect(row.owner).toBe(node.id);
        expect(await store.tasks.read("default", row.id)).toEqual(row);
      }
    });

    test("the node that lost a task to another is stale at its next turn", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const other = await enlistNode(store);
      const worker = newId();
      const turn = submitRunning({ node: other.id, worker });
      await other.commit(turn);
      const [row] = await store.tasks.acquireOfWorker(node.id, worker);
      if (row === undefined) throw new Error("nothing was acquired");
      await expect(other.commit(turnOf(rowOf(turn)))).rejects.toMatchObject({ fault: "stale" });
      await node.commit(turnOf(row));
      expect((await store.tasks.read("default", turn.id))?.seq).toBe(3);
    });

    test("release gives up what this node owns, and queues what is ready", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const other = await enlistNode(store);
      const ready = submit({ state: { owner: node.id } });
      const waiting = submit({ state: { owner: node.id, status: "waiting" } });
      const others = submit({ state: { owner: other.id } });
      await node.commit(ready, waiting);
      await other.commit(others);
      await store.tasks.release(node.id, [...idsOf([ready, waiting, others]), newId()]);
      expect(await store.tasks.read("default", ready.id)).toEqual({ ...rowOf(ready), owner: null });
      expect((await store.tasks.read("default", waiting.id))?.owner).toBeNull();
      expect((await store.tasks.read("default", others.id))?.owner).toBe(other.id);
      expect(idsOf(await store.queue.claim(other.id, [head], 10))).toEqual([ready.id]);
    });
  });
}
