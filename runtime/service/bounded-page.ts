import { limits } from "../../sdk/protocol/limits.ts";
import type { Listener } from "../../sdk/protocol/service.ts";
import type { Part } from "../store/store.ts";
import { abandoned, reading } from "./faults.ts";

/** What is around a page in its answer takes less than the rest of a frame. */
const pageBytesMax = limits.frameToClientBytesMax - 64 * 1024;
const bytesPerCharMax = 3;
/** So many rows are read before it is known how large they are. */
const firstRows = 50;

interface Paging<Row> {
  readonly limit: number;
  /** Once it has gone, nothing more is read. */
  readonly listener?: Listener | undefined;
  /** Rows beyond the last one read, or from the beginning. */
  read(asked: Asked<Row>): Promise<Part<Row>>;
  /** At most, as JSON. */
  bytesOf(row: Row): number;
}

interface Asked<Row> {
  readonly limit: number;
  readonly bytesMax: number;
  readonly last: Row | undefined;
}

interface Page<Row> {
  readonly rows: readonly Row[];
  readonly hasMore: boolean;
}

/**
 * A page of rows that fits an answer: it ends early where they are large, but never before its first
 * row. Read in parts, and of each no more than that, so that memory and database do no more either.
 */
export async function readPage<Row>(paging: Paging<Row>): Promise<Page<Row>> {
  let isWanted = true;
  const stay = paging.listener?.whenGone(() => {
    isWanted = false;
  });
  try {
    return await readParts(paging, () => isWanted);
  } finally {
    stay?.();
  }
}

async function readParts<Row>(
  { limit, read, bytesOf }: Paging<Row>,
  isWanted: () => boolean,
): Promise<Page<Row>> {
  const rows: Row[] = [];
  let bytes = 0;
  for (let count = Math.min(firstRows, limit + 1); ; ) {
    if (!isWanted()) throw abandoned();
    const bytesMax = Math.max(1, Math.floor((pageBytesMax - bytes) / bytesPerCharMax));
    const part = await reading(() => read({ limit: count, bytesMax, last: rows.at(-1) }));
    for (const row of part.rows) {
      bytes += bytesOf(row);
      const isFull = rows.length === limit || (bytes > pageBytesMax && rows.length > 0);
      if (isFull) return { rows, hasMore: true };
      rows.push(row);
    }
    if (part.rows.length < count && !part.isCut) return { rows, hasMore: false };
    const likely = Math.floor(((pageBytesMax - bytes) * rows.length) / Math.max(1, bytes));
    count = Math.min(limit + 1 - rows.length, Math.max(firstRows, likely));
  }
}

/** What texts take in an answer, at most. */
export function bytesOfTexts(...texts: readonly (string | null)[]): number {
  return texts.reduce((sum, text) => sum + bytesPerCharMax * (text?.length ?? 0), 0);
}
