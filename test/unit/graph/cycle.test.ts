import { expect, test } from "vitest";
import { cycleIn } from "../../../runtime/graph/cycle.ts";

function cycleOf(dependencies: Readonly<Record<string, readonly string[]>>): string | null {
  const cycle = cycleIn(new Map(Object.entries(dependencies).map(([k, v]) => [k, new Set(v)])));
  return cycle?.join(" ") ?? null;
}

test.each<[dependencies: Record<string, readonly string[]>, cycle: string | null]>([
  [{}, null],
  [{ a: [] }, null],
  [{ a: ["a"] }, "a a"],
  [{ a: ["b"], b: ["a"] }, "a b a"],
  [{ a: ["b"], b: ["c"], c: ["b"] }, "b c b"],
  [{ a: ["b", "c"], b: ["d"], c: ["d"], d: [] }, null],
  [{ a: ["b", "c"], b: [], c: ["d"], d: ["b", "a"] }, "a c d a"],
  [{ a: [], b: ["a"], c: ["c"] }, "c c"],
  // Names that stand for nobody are no concern of this function.
  [{ a: ["ghost"] }, null],
])("%j has the cycle %j", (dependencies, cycle) => {
  expect(cycleOf(dependencies)).toBe(cycle);
});

const long = 10_000;

function chain(): Map<string, Set<string>> {
  return new Map(Array.from({ length: long }, (_, n) => [`t${n}`, new Set([`t${n + 1}`])]));
}

test("a chain of 10,000 does not overflow, nor does one that bites its tail", () => {
  const open = chain();
  expect(cycleIn(open)).toBeNull();
  const closed = chain().set(`t${long}`, new Set(["t0"]));
  expect(cycleIn(closed)).toHaveLength(long + 2);
});

// Without remembering what was looked at, each layer would double the work.
test("many ways between few tasks are looked at once", () => {
  const layers = Array.from({ length: 60 }, (_, n) => n);
  const lattice = new Map(
    layers.flatMap((n) => [
      [`a${n}`, new Set([`a${n + 1}`, `b${n + 1}`])] as const,
      [`b${n}`, new Set([`a${n + 1}`, `b${n + 1}`])] as const,
    ]),
  );
  expect(cycleIn(lattice)).toBeNull();
});
