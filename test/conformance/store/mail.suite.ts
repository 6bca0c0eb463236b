import { describe, expect, test } from "vitest";
import { faultOf } from "../../support/fault.ts";
import { enlistNode } from "../../support/test-node.ts";
import { newId, rowOf, submit, turnOf } from "../../support/turns.ts";
import { removeNode, type World } from "./world.ts";

const head = { namespace: "default", definition: "resize", version: "" };

function letterTo(actor: string, message = '{"type":"cancel","z":1.0}') {
  return { id: newId(), actor, message };
}

export function describeMail(world: World): void {
  describe("mail", () => {
    test("collect takes the task and leaves the letters, in the order they were posted", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit();
      await node.commit(turn);
      const letters = [letterTo(turn.id, '{"n":1}'), letterTo(turn.id), letterTo(turn.id)];
      for (const letter of letters) await store.mail.post(letter);
      const task = { ...rowOf(turn), owner: node.id };
      const all = letters.map((letter) => ({ letter, task }));
      expect(await store.mail.collect(node.id, 2, [])).toEqual(all.slice(0, 2));
      expect(await store.mail.collect(node.id, 10, [])).toEqual(all);
      expect(await store.tasks.readMany([turn.id])).toEqual([task]);
      expect(await store.queue.depth(head, 10)).toBe(0);
    });

    test("a letter that is posted twice is there once", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit();
      await node.commit(turn);
      const letter = letterTo(turn.id);
      await store.mail.post(letter);
      await store.mail.post(letter);
      expect(await store.mail.collect(node.id, 10, [])).toHaveLength(1);
    });

    test("letters to what live nodes own wait for them, and do not use up the limit", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const other = await enlistNode(store);
      const others = submit({ state: { owner: other.id } });
      const unowned = submit();
      await other.commit(others, unowned);
      await store.mail.post(letterTo(others.id));
      await store.mail.post(letterTo(unowned.id));
      const [mine, ...rest] = await store.mail.collect(node.id, 1, []);
      expect([mine?.task.id, rest.length]).toEqual([unowned.id, 0]);
      expect(await store.mail.collect(other.id, 10, [])).toHaveLength(1);
      await removeNode(world, other);
      expect(await store.mail.collect(node.id, 10, [])).toHaveLength(2);
    });

    test("the turn that consumes a letter deletes it", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit({ state: { owner: node.id } });
      await node.commit(turn);
      const [read, unread] = [letterTo(turn.id), letterTo(turn.id)];
      await store.mail.post(read);
      await store.mail.post(unread);
      await node.commit(turnOf(rowOf(turn), { letters: [read.id] }));
      const left = await store.mail.collect(node.id, 10, []);
      expect(left.map(({ letter }) => letter)).toEqual([unread]);
    });

    test("a turn that consumes a letter which is gone is stale, and consumes none", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit({ state: { owner: node.id } });
      await node.commit(turn);
      const letter = letterTo(turn.id);
      await store.mail.post(letter);
      const consuming = turnOf(rowOf(turn), { letters: [letter.id, newId()] });
      expect(await faultOf(node.commit(consuming))).toBe("stale");
      expect((await store.tasks.read("default", turn.id))?.seq).toBe(1);
      expect(await store.mail.collect(node.id, 10, [])).toHaveLength(1);
    });

    test("letters to nobody are orphans", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit();
      await node.commit(turn);
      await store.mail.post(letterTo(turn.id));
      await store.mail.post(letterTo(newId()));
      expect(await store.mail.collect(node.id, 10, [])).toHaveLength(1);
      expect(await store.mail.deleteOrphans()).toBe(1);
      expect(await store.mail.deleteOrphans()).toBe(0);
      expect(await store.mail.collect(node.id, 10, [])).toHaveLength(1);
    });
  });
}
