import { ktStale } from "../sql-state.ts";
import type { Passage } from "./fence.ts";

interface Counting {
  /** What holds the tasks. */
  readonly among: string;
  /** How many there have to be. */
  readonly count: string;
  /** What is wrong when there are not. */
  readonly otherwise: string;
  readonly passage: Passage;
}

/** Ends a statement: a refusal unless all were there. */
export function refusedUnlessAll({ among, count, otherwise, passage }: Counting): string {
  return `
select case${passage.refusals}
  when (select count(*) from ${among}) <> ${count}::int then
    kantoku.refuse('${ktStale}', '${otherwise}')::text
end`;
}
