import { StoreError } from "../../store.ts";
import type { Batch, Committed } from "../../turns.ts";
import { plainArray } from "../arrays.ts";
import type { Connection } from "../connection.ts";
import { idOf } from "../rows.ts";
import { sortTurns } from "./sorting.ts";

const readBatch = "select id from kantoku.batches where node = $1::uuid and lane = $2::int";

const readPresent = `
select id, watched and exists (
  select from kantoku.watches where watches.task = tasks.id and watches.node <> $2::uuid
) as watched
from kantoku.tasks as tasks
where id = any ($1::text::uuid[])`;

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
  const tasks = [...submits, ...updates, ...known.steps].map(({ id }) => id);
  const present = await connection.ask(readPresent, [plainArray(tasks), batch.node]);
  const found = new Set(present.map(idOf));
  return {
    losers: new Set(submits.map(({ id }) => id).filter((id) => !found.has(id))),
    watched: present.filter((row) => row["watched"] === true).map(idOf),
    hasMail: updates.some(({ links }) => links !== undefined) || members.length > 0,
  };
}
