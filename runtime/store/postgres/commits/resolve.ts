import { StoreError } from "../../store.ts";
import type { Batch, Committed } from "../../turns.ts";
import { plainArray } from "../arrays.ts";
import type { Connection } from "../connection.ts";
import { idOf } from "../rows.ts";
import { sortTurns } from "./sorting.ts";

const readBatch = "select id from kantoku.batches where node = $1::uuid and lane = $2::int";

const readPresent = "select id from kantoku.tasks where id = any ($1::text::uuid[])";

/** Answers for a batch whose row says that it was passed: as the first sending did. */
export async function resolve(connection: Connection, batch: Batch): Promise<Committed> {
  const [last] = await connection.ask(readBatch, [batch.node, batch.lane]);
  if (last?.["id"] !== batch.id) {
    throw new StoreError(
      "stale",
      `batch ${batch.id} of lane ${batch.lane} is behind the lane's last`,
    );
  }
  const { submits: plain, roots, children, members, ...known } = sortTurns(batch);
  const updates = [...known.updates, ...known.foretold];
  const submits = [...plain, ...roots, ...children, ...members];
  const ids = submits.map(({ id }) => id);
  const found = new Set((await connection.ask(readPresent, [plainArray(ids)])).map(idOf));
  return {
    losers: new Set(ids.filter((id) => !found.has(id))),
    hasMail: updates.some(({ links }) => links !== undefined) || members.length > 0,
  };
}
