import { expect, test } from "vitest";
import { readPage } from "../../runtime/service/bounded-page.ts";

const MiB = 1024 * 1024;

async function page(limit: number, sizes: readonly number[]) {
  let most = 0;
  const counts: number[] = [];
  const { rows, hasMore } = await readPage<{ at: number; bytes: number }>({
    limit,
    read: async (count, last) => {
      counts.push(count);
      const from = last === undefined ? 0 : last.at + 1;
      const part = sizes
        .slice(from, from + count)
        .map((bytes, index) => ({ at: from + index, bytes }));
      most = Math.max(most, part.length);
      return part;
    },
    bytesOf: ({ bytes }) => bytes,
  });
  expect(rows.map(({ at }) => at)).toEqual(rows.map((_, index) => index));
  return { length: rows.length, hasMore, most, reads: counts.length };
}

test("small rows fill the page in two reads", async () => {
  expect(await page(1_000, Array(3_000).fill(300))).toMatchObject({
    length: 1_000,
    hasMore: true,
    reads: 2,
  });
});

test("a page that ends with the rows says so", async () => {
  expect(await page(10, Array(10).fill(1))).toMatchObject({ length: 10, hasMore: false });
  expect(await page(10, Array(11).fill(1))).toMatchObject({ length: 10, hasMore: true });
  expect(await page(10, [])).toMatchObject({ length: 0, hasMore: false });
  expect(await page(100, Array(50).fill(1))).toMatchObject({ length: 50, hasMore: false });
});

test("large rows end the page early, and are not all read", async () => {
  const { length, hasMore, most } = await page(1_000, Array(1_000).fill(MiB));
  expect([length, hasMore]).toEqual([3, true]);
  expect(most).toBeLessThanOrEqual(50);
});

test("a row that is larger than a page stands on one of its own", async () => {
  expect(await page(5, [9 * MiB, 9 * MiB])).toMatchObject({ length: 1, hasMore: true });
});

test("nothing more is read for a listener that has gone", async () => {
  let reads = 0;
  let go = (): void => {};
  const whenGone = (act: () => void) => {
    go = act;
    return () => {};
  };
  const reading = readPage<number>({
    limit: 1_000,
    listener: { whenGone },
    read: async (count) => {
      reads += 1;
      go();
      return Array<number>(count).fill(1);
    },
    bytesOf: (bytes) => bytes,
  });
  await expect(reading).rejects.toMatchObject({ code: "deadline-exceeded" });
  expect(reads).toBe(1);
});
