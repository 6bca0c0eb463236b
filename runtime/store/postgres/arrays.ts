/**
 * Columns of many rows as one parameter each: array literals, which the driver sends as they are,
 * without looking at every element.
 */
export type Cell = string | number | boolean | null;

const mustEscape = /["\\]/;
const escaped = /["\\]/g;

/** Text, JSON: anything that may hold quotes, commas, braces. Send it as `$1::text::text[]`. */
export function textArray(cells: readonly (string | null)[]): string {
  let literal = "{";
  for (let i = 0; i < cells.length; i += 1) {
    const cell = cells[i] ?? null;
    if (i > 0) literal += ",";
    if (cell === null) literal += "NULL";
    else if (mustEscape.test(cell)) literal += `"${cell.replace(escaped, "\\$&")}"`;
    else literal += `"${cell}"`;
  }
  return `${literal}}`;
}

/** Ids, numbers, booleans: whatever needs no quotes. */
export function plainArray(cells: readonly Cell[]): string {
  let literal = "{";
  for (let i = 0; i < cells.length; i += 1) {
    if (i > 0) literal += ",";
    literal += cells[i] ?? "NULL";
  }
  return `${literal}}`;
}

/** Parts of at most `size`, in order. */
export function* chunksOf<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  if (items.length <= size) {
    if (items.length > 0) yield items;
    return;
  }
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
