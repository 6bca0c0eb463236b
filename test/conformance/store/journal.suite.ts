import { describe, expect, test } from "vitest";
import { createSeededEntropy } from "../../support/seeded-entropy.ts";
import { enlistNode } from "../../support/test-node.ts";
import { event, newId, rowOf, submit, turnOf } from "../../support/turns.ts";
import type { World } from "./world.ts";

export function describeJournal(world: World): void {
  describe("journal", () => {
    const steps = [2, 3, 4, 5].map((seq) =>
      event(seq, seq % 2 === 0 ? "step.recorded" : "attempt.late", { b: seq, a: 1 }),
    );

    test("read pages through the events in order", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit({ state: { owner: node.id } });
      await node.commit(turn);
      await node.commit(turnOf(rowOf(turn), { events: steps }));
      const all = [...turn.events, ...steps];
      expect(await store.journal.read(turn.id, 0, 100)).toEqual(all);
      expect(await store.journal.read(turn.id, 0, 2)).toEqual(all.slice(0, 2));
      expect(await store.journal.read(turn.id, 2, 2)).toEqual(all.slice(2, 4));
      expect(await store.journal.read(turn.id, 5, 2)).toEqual([]);
      expect(await store.journal.read(newId(), 0, 2)).toEqual([]);
    });

    test("readPart ends with the event that comes to the bytes that are enough", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      // Compressed and kept aside, kept aside as it is, and neither.
      const texts = ["x".repeat(50_000), incompressible(50_000), "x"];
      const events = texts.map((text, index) => event(index + 1, "attempt.late", { text }));
      const turn = submit({ events, state: { seq: events.length } });
      await node.commit(turn);
      const part = (after: number, bytesMax: number, limit = 10) =>
        store.journal.readPart(turn.id, { after, limit, bytesMax });
      expect(await part(0, 1)).toEqual({ rows: events.slice(0, 1), isCut: true });
      expect(await part(0, 49_000)).toEqual({ rows: events.slice(0, 1), isCut: true });
      expect(await part(0, 60_000)).toEqual({ rows: events.slice(0, 2), isCut: true });
      expect(await part(1, 49_000)).toEqual({ rows: events.slice(1, 2), isCut: true });
      expect(await part(0, 60_000, 2)).toEqual({ rows: events.slice(0, 2), isCut: false });
      expect(await part(0, 110_000)).toEqual({ rows: events, isCut: false });
      expect(await part(3, 1)).toEqual({ rows: [], isCut: false });
    });

    test("readType pages through the events of one type", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit({ state: { owner: node.id } });
      await node.commit(turn);
      await node.commit(turnOf(rowOf(turn), { events: steps }));
      const [two, , four] = steps;
      const type = "step.recorded";
      expect(await store.journal.readType(turn.id, type, 0, 10)).toEqual([two, four]);
      expect(await store.journal.readType(turn.id, type, 0, 1)).toEqual([two]);
      expect(await store.journal.readType(turn.id, type, 2, 10)).toEqual([four]);
      expect(await store.journal.readType(turn.id, "task.timedOut", 0, 10)).toEqual([]);
    });

    test("event data keeps its order and its numbers", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const data = '{"z":1.50,"a":9007199254740993,"e":1e2}';
      const turn = submit({ events: [{ seq: 1, type: "task.submitted", at: 1, data }] });
      await node.commit(turn);
      expect(await store.journal.read(turn.id, 0, 1)).toEqual([
        { seq: 1, type: "task.submitted", at: 1, data },
      ]);
    });
  });
}

function incompressible(length: number): string {
  const entropy = createSeededEntropy(1);
  const chars = Array.from({ length }, () => String.fromCharCode(35 + entropy.random() * 57));
  return chars.join("");
}
