import type { Part } from "../store.ts";

/** What a database does to spare a transfer, so that both answer alike. */
export function partOf<Row>(
  asked: readonly Row[],
  { bytesMax, textsOf }: { bytesMax: number; textsOf: (row: Row) => readonly (string | null)[] },
): Part<Row> {
  let bytes = 0;
  let count = 0;
  for (const row of asked) {
    if (count > 0 && bytes >= bytesMax) break;
    count += 1;
    for (const text of textsOf(row)) bytes += Buffer.byteLength(text ?? "");
  }
  return { rows: asked.slice(0, count), isCut: count < asked.length };
}
