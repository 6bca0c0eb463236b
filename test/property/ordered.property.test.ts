import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { byNumber, Ordered } from "../../runtime/store/memory/ordered.ts";

interface Item {
  readonly key: number;
  readonly value: number;
}

const key = fc.integer({ min: 0, max: 12 });
const change = fc.oneof(
  fc.record({ type: fc.constant("set" as const), key, value: fc.nat() }),
  fc.record({ type: fc.constant("delete" as const), key }),
);

describe("an ordered index", () => {
  test("answers like a map that is sorted at each question", () => {
    fc.assert(
      fc.property(fc.array(change), key, (changes, probe) => {
        const model = new Map<number, Item>();
        const ordered = new Ordered<Item, number>((item) => item.key, byNumber);
        for (const step of changes) {
          if (step.type === "delete") {
            model.delete(step.key);
            ordered.delete(step.key);
          } else {
            const item = { key: step.key, value: step.value };
            model.set(step.key, item);
            ordered.set(item);
          }
        }
        const items = [...model.values()].sort((a, b) => a.key - b.key);
        expect([...ordered]).toEqual(items);
        expect([...ordered.below()]).toEqual(items.toReversed());
        expect([...ordered.above(probe)]).toEqual(items.filter((item) => item.key > probe));
        expect([...ordered.below(probe)]).toEqual(
          items.filter((item) => item.key < probe).toReversed(),
        );
        expect([ordered.size, ordered.first, ordered.last]).toEqual([
          items.length,
          items[0],
          items.at(-1),
        ]);
        expect(ordered.has(probe)).toBe(model.has(probe));
      }),
    );
  });
});
