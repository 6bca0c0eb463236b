import type { Batch } from "../../turns.ts";
import type { Parameter } from "../line.ts";
import { ktFenced, ktRepeated } from "../sql-state.ts";

/**
 * The fence: the lease row is locked for key share, which lets renewals pass (for share delays them
 * by 743 ms) and makes the reaper's delete wait; a node whose lease has ended raises. The batch row:
 * a batch that is sent again waits here for the first sending, and raises when that was committed.
 *
 * From parameter `first` on: node, lane, id.
 */
const fence = (first: number) => ({
  clauses: `
lease as (
  select incarnation from kantoku.nodes
  where incarnation = $${first}::uuid and expires_at > clock_timestamp()
  for key share
), noted as (
  insert into kantoku.batches as batches (node, lane, id)
  select $${first}::uuid, $${first + 1}::int, $${first + 2}::bigint from lease
  on conflict (node, lane) do update set id = excluded.id where batches.id < excluded.id
  returning id
)`,
  refusals: `
  when not exists (select from lease) then
    kantoku.refuse('${ktFenced}', 'node ' || $${first} || ' has no live lease')::text
  when not exists (select from noted) then
    kantoku.refuse(
      '${ktRepeated}', 'batch ' || $${first + 2} || ' of lane ' || $${first + 1} || ' was passed'
    )::text`,
});

const first = fence(1);

/**
 * First statement of a commit of several. It raises outside of its transaction, too: after some
 * errors (26000, 0A000) the driver sends a statement once more, behind the commit, where the batch
 * row alone would be written and say of the batch that it was. "deferrable" changes nothing here
 * but that a statement can see it.
 */
export const enter = `
with ${first.clauses}
select case
  when current_setting('transaction_deferrable') <> 'on' then
    kantoku.refuse('40001', 'outside of its transaction')::text${first.refusals}
end`;

export function enterParameters({ node, lane, id }: Batch): Parameter[] {
  return [node, lane, id];
}

/** How a statement that writes turns gets past the fence. */
export interface Passage {
  /** What its with-clauses begin with. */
  readonly clauses: string;
  /** A condition of whatever is written: nothing is, unless the fence lets it pass. */
  readonly isOpen: string;
  /** Branches of its last case, before its own. */
  readonly refusals: string;
}

/** Behind `enter`, in one transaction with it. */
export const behindFence: Passage = { clauses: "", isOpen: "true", refusals: "" };

/** The statement is the whole batch, has the fence in it, and commits by itself. */
function throughFence(next: number): Passage {
  const { clauses, refusals } = fence(next);
  return { clauses: `${clauses},`, isOpen: "exists (select from noted)", refusals };
}

/** A statement in both of its forms. */
export interface TwoForms {
  readonly text: string;
  /** With the fence in it; its last parameters are those of `enter`. */
  readonly alone: string;
}

/** @param next the first parameter that the statement itself does not take */
export function inTwoForms(next: number, worded: (passage: Passage) => string): TwoForms {
  return { text: worded(behindFence), alone: worded(throughFence(next)) };
}
