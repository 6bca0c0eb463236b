import type { TaskTurn } from "../../turns.ts";
import { plainArray } from "../arrays.ts";
import type { Parameter } from "../line.ts";
import { ktStale } from "../sql-state.ts";

/** A letter that is gone was consumed by another turn: this one must not act on it again. */
export const consumeLetters = `
with consumed as (
  delete from kantoku.mail where id = any ($1::text::uuid[]) returning id
)
select case when (select count(*) from consumed) <> $2::int then
  kantoku.refuse('${ktStale}', 'letters were consumed by another turn')
end`;

export function consumeLettersParameters(turns: readonly TaskTurn[]): Parameter[] {
  const letters = turns.flatMap((turn) => turn.letters);
  return [plainArray(letters), letters.length];
}
