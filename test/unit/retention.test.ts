import { expect, test } from "vitest";
import { Retention, type RetentionOptions } from "../../runtime/engine/retention.ts";

/** Roots with so many tasks under each, deleted at 20 a millisecond, in eight seconds or not at all. */
function startRetention({ roots, tasksEach }: { roots: number; tasksEach: number }) {
  let now = 0;
  let left = roots;
  const portions: number[] = [];
  const deleteEnded = async (_before: number, limit: number) => {
    const count = Math.min(limit, left);
    const tookMs = (count * tasksEach) / 20;
    now += Math.min(tookMs, 8_000);
    if (tookMs > 8_000) throw new Error("statement timeout");
    portions.push(tookMs);
    left -= count;
    return count;
  };
  const nothing = async () => 0;
  const retention = new Retention({
    store: {
      tasks: { deleteEnded },
      workers: { deleteEnded: nothing },
      mail: { deleteOrphans: nothing },
    },
    clock: { now: () => now, monotonic: () => now },
    keptMs: 1_000,
  } as unknown as RetentionOptions);
  const runs = async (count: number) => {
    for (let run = 0; run < count; run += 1) await retention.deleteSome().catch(() => {});
  };
  return { retention, runs, portions, left: () => left };
}

test("large trees are deleted a few at a time, however many of them there are", async () => {
  const { runs, portions, left } = startRetention({ roots: 60, tasksEach: 10_000 });
  await runs(80);
  expect(left()).toBe(0);
  expect(Math.max(...portions.slice(3))).toBeLessThanOrEqual(1_000);
});

test("small ones are deleted by the hundred", async () => {
  const { runs, portions, left } = startRetention({ roots: 5_000, tasksEach: 1 });
  await runs(16);
  expect(left()).toBe(0);
  expect(portions.length).toBeLessThanOrEqual(16);
});

test("a portion is followed by a rest as long as it, until there is no more", async () => {
  const { retention, portions } = startRetention({ roots: 120, tasksEach: 20 });
  const rests = [await retention.deleteSome(), await retention.deleteSome()];
  expect(rests).toEqual([portions[0], null]);
  expect(portions[0]).toBeGreaterThan(0);
});
