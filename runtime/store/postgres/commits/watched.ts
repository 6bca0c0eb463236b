import { ktStale } from "../sql-state.ts";
import type { Passage } from "./fence.ts";

interface Watching {
  /** What holds the tasks, with `id` and `watched`. */
  readonly among: string;
  /** Their ids, as an array. */
  readonly ids: string;
  /** How many there have to be. */
  readonly count: string;
  /** What is wrong when there are not. */
  readonly otherwise: string;
  readonly passage: Passage;
}

/**
 * Ends a statement: the tasks that another node than `$1` watches, and a refusal unless all were
 * there. The watches are read only when some of these tasks has ever been watched.
 */
export function watchedOrRefused({ among, ids, count, otherwise, passage }: Watching): string {
  return `
select id, null as verdict from ${among}
where watched and id = any (array(
  select task from kantoku.watches where task = any (${ids}) and node <> $1::uuid
))
union all
select null, case${passage.refusals}
  when (select count(*) from ${among}) <> ${count}::int then
    kantoku.refuse('${ktStale}', '${otherwise}')::text
  end`;
}
