/**
 * Columns of many rows as one parameter each: array literals, which the driver sends as they are,
 * without looking at every element.
 */
type Cell = string | number | null;

/** All that JSON writes as an escape, but for quotes, backslashes and halves of surrogate pairs. */
const control = /[^ -\uffff]/;
const special = /["\\]/g;

/** Text, JSON: anything that may hold quotes, commas, braces. Send it as `$1::text::text[]`. */
export function textArray(cells: readonly (string | null)[]): string {
  if (cells.every(isWrittenAlike)) return plainArray(cells);
  return `{${cells.map(quoted).join(",")}}`;
}

/**
 * Ids, numbers, words. JSON's notation of an array is PostgreSQL's but for the brackets, `null`
 * included, and the engine writes it several times as fast as a loop can.
 */
export function plainArray(cells: readonly Cell[]): string {
  return `{${JSON.stringify(cells).slice(1, -1)}}`;
}

/** Each once: an array as a cell of another. */
export function idArray(ids: readonly string[]): string {
  return `{${[...new Set(ids)].join(",")}}`;
}

/** JSON escapes more than the quotes and backslashes that PostgreSQL knows to be escaped. */
function isWrittenAlike(cell: string | null): boolean {
  return cell === null || (!control.test(cell) && cell.isWellFormed());
}

function quoted(cell: string | null): string {
  return cell === null ? "NULL" : `"${cell.replace(special, "\\$&")}"`;
}

/** Parts of at most `size`, in order. */
export function* chunksOf<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  if (items.length <= size) {
    if (items.length > 0) yield items;
    return;
  }
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
