import type { Batch } from "../../turns.ts";
import type { Parameter } from "../line.ts";
import { ktFenced, ktRepeated } from "../sql-state.ts";

/**
 * First statement of every commit. The fence: the lease row is locked for key share, which lets
 * renewals pass (for share delays them by 743 ms) and makes the reaper's delete wait; a node whose
 * lease has ended raises. The batch row: a batch that is sent again waits here for the first
 * sending, and raises when that was committed.
 *
 * It raises outside of its transaction, too: after some errors (26000, 0A000) the driver sends a
 * statement once more, behind the commit, where the batch row alone would be written and say of the
 * batch that it was. "deferrable" changes nothing here but that a statement can see it.
 */
export const enter = `
with lease as (
  select incarnation from kantoku.nodes
  where incarnation = $1::uuid and expires_at > clock_timestamp()
  for key share
), noted as (
  insert into kantoku.batches as batches (node, lane, id)
  select $1::uuid, $2::int, $3::bigint from lease
  on conflict (node, lane) do update set id = excluded.id where batches.id < excluded.id
  returning id
)
select case
  when current_setting('transaction_deferrable') <> 'on' then
    kantoku.refuse('40001', 'outside of its transaction')
  when not exists (select from lease) then
    kantoku.refuse('${ktFenced}', 'node ' || $1 || ' has no live lease')
  when not exists (select from noted) then
    kantoku.refuse('${ktRepeated}', 'batch ' || $3 || ' of lane ' || $2 || ' was passed')
end`;

export function enterParameters({ node, lane, id }: Batch): Parameter[] {
  return [node, lane, id];
}
