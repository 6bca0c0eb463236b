import type { Batch } from "../../turns.ts";
import type { Parameter } from "../line.ts";
import { ktFenced, ktRepeated } from "../sql-state.ts";

/**
 * First statement of every commit. The fence: the lease row is locked for key share, which lets
 * renewals pass (for share delays them by 743 ms) and makes the reaper's delete wait; a node whose
 * lease has ended raises. The batch row: a batch that is sent again waits here for the first
 * sending, and raises when that was committed.
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
  when not exists (select from lease) then
    kantoku.refuse('${ktFenced}', 'node ' || $1 || ' has no live lease')
  when not exists (select from noted) then
    kantoku.refuse('${ktRepeated}', 'batch ' || $3 || ' of lane ' || $2 || ' was passed')
end`;

export function enterParameters({ node, lane, id }: Batch): Parameter[] {
  return [node, lane, id];
}
