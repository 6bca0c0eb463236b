import { expect, test } from "vitest";
import { readPage } from "../../runtime/service/bounded-page.ts";

const MiB = 1024 * 1024;

async function page(limit: number, sizes: readonly number[]) {
  let read = 0;
  const counts: number[] = [];
  const { rows, hasMore } = await readPage<{ at: number; bytes: number }>({
    limit,
    read: async ({ limit: count, bytesMax, last }) => {
      counts.push(count);
      const from = last === undefined ? 0 : last.at + 1;
      const asked = sizes
        .slice(from, from + count)
        .map((bytes, index) => ({ at: from + index, bytes }));
      let held = 0;
      const rows = asked.filter(({ bytes }) => {
        const isBefore = held < bytesMax;
        held += bytes;
        return isBefore;
      });
      read += rows.length;
      return { rows, isCut: rows.length < asked.length };
    },
    bytesOf: ({ bytes }) => bytes,
  });
  expect(rows.map(({ at }) => at)).toEqual(rows.map((_, index) => index));
  return { length: rows.length, hasMore, read, reads: counts.length };
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

test("large rows end the page early, and are not read beyond the one that ends it", async () => {
  const { length, hasMore, read } = await page(1_000, Array(1_000).fill(MiB));
  expect([length, hasMore]).toEqual([3, true]);
  expect(read).toBe(length + 1);
});

test("nor are large rows behind small ones", async () => {
  const sizes = [...Array(200).fill(300), ...Array(800).fill(MiB)];
  const { length, hasMore, read } = await page(1_000, sizes);
  expect([length, hasMore]).toEqual([203, true]);
  expect(read).toBe(length + 1);
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
    read: async ({ limit: count }) => {
      reads += 1;
      go();
      return { rows: Array<number>(count).fill(1), isCut: false };
    },
    bytesOf: (bytes) => bytes,
  });
  await expect(reading).rejects.toMatchObject({ code: "deadline-exceeded" });
  expect(reads).toBe(1);
});
