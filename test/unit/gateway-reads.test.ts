import { expect, test } from "vitest";
import { type ReadLine, Reads } from "../../gateway/reads.ts";

/** Reads that end when the test says so. */
function createReads({ most, mostOfOne }: { most: number; mostOfOne: number }) {
  const reads = new Reads({ most, mostOfOne });
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  return {
    begun,
    openLine: () => reads.openLine(),
    ask: (line: ReadLine, name: string, isWanted = () => true) => {
      const read = () => {
        begun.push(name);
        return new Promise<void>((resolve) => ends.push(resolve));
      };
      return line.run(read, isWanted);
    },
    /** The oldest of those under way. */
    async endOne() {
      ends.shift()?.();
      await new Promise<void>((resolve) => void setImmediate(resolve));
    },
  };
}

test("of all connections together so many reads run at once, and of one so many", async () => {
  const { openLine, ask, begun, endOne } = createReads({ most: 3, mostOfOne: 2 });
  const [a, b, c] = [openLine(), openLine(), openLine()];
  for (const name of ["a1", "a2", "a3"]) void ask(a, name);
  expect(begun).toEqual(["a1", "a2"]);
  void ask(b, "b1");
  void ask(c, "c1");
  expect(begun).toEqual(["a1", "a2", "b1"]);
  await endOne();
  expect(begun).toEqual(["a1", "a2", "b1", "c1"]);
  await endOne();
  expect(begun).toEqual(["a1", "a2", "b1", "c1", "a3"]);
});

test("connections take turns, however much each of them has asked for", async () => {
  const { openLine, ask, begun, endOne } = createReads({ most: 1, mostOfOne: 1 });
  const [greedy, other, polite] = [openLine(), openLine(), openLine()];
  for (let n = 1; n <= 20; n += 1) void ask(greedy, `g${n}`);
  for (let n = 1; n <= 3; n += 1) void ask(other, `o${n}`);
  void ask(polite, "p1");
  for (let n = 0; n < 8; n += 1) await endOne();
  expect(begun).toEqual(["g1", "o1", "p1", "g2", "o2", "g3", "o3", "g4", "g5"]);
});

test("who has gone without for longest is next, and a new connection is behind all", async () => {
  const { openLine, ask, begun, endOne } = createReads({ most: 1, mostOfOne: 1 });
  const [polite, greedy] = [openLine(), openLine()];
  for (let n = 1; n <= 4; n += 1) void ask(greedy, `g${n}`);
  await endOne();
  void ask(openLine(), "new");
  void ask(polite, "p1");
  for (let n = 0; n < 3; n += 1) await endOne();
  expect(begun).toEqual(["g1", "g2", "p1", "g3", "new"]);
});

test("what nobody wants any more costs no turn", async () => {
  const { openLine, ask, begun, endOne } = createReads({ most: 1, mostOfOne: 1 });
  const [gone, other] = [openLine(), openLine()];
  void ask(other, "o1");
  const refused = Promise.allSettled(["1", "2"].map((name) => ask(gone, name, () => false)));
  void ask(other, "o2");
  await endOne();
  expect(begun).toEqual(["o1", "o2"]);
  expect(await refused).toMatchObject([
    { reason: { code: "deadline-exceeded" } },
    { reason: { code: "deadline-exceeded" } },
  ]);
});

test("a read that fails gives its place back", async () => {
  const reads = new Reads({ most: 1, mostOfOne: 1 });
  const line = reads.openLine();
  const fail = () => {
    throw new Error("at once");
  };
  const failing = [
    line.run(fail, () => true),
    line.run(
      async () => fail(),
      () => true,
    ),
  ];
  for (const failed of failing) await expect(failed).rejects.toThrow("at once");
  expect(
    await line.run(
      async () => "read",
      () => true,
    ),
  ).toBe("read");
});
