import type { TaskTurn } from "../../turns.ts";
import { plainArray, textArray } from "../arrays.ts";
import type { Parameter } from "../line.ts";

/** Before any is set: a turn may clear a kind and set it again. */
export const clearTimers = `
delete from kantoku.timers
where actor = any ($1::text::uuid[])
  and ((actor, kind) in (
    select unnest($1::text::uuid[]), unnest($2::text::text[]) collate "C"
  )) is true`;

export const setTimers = `
insert into kantoku.timers (actor, kind, due_at)
select actor, kind, kantoku.instant(due_at)
from (
  select
    unnest($1::text::uuid[]) as actor,
    unnest($2::text::text[]) as kind,
    unnest($3::text::float8[]) as due_at
) as given
on conflict (actor, kind) do update set due_at = excluded.due_at`;

export function clearTimersParameters(turns: readonly TaskTurn[]): Parameter[] {
  return [
    plainArray(turns.flatMap((turn) => turn.timersCleared.map(() => turn.id))),
    textArray(turns.flatMap((turn) => turn.timersCleared)),
  ];
}

export function setTimersParameters(turns: readonly TaskTurn[]): Parameter[] {
  const timers = turns.flatMap((turn) => turn.timersSet);
  return [
    plainArray(turns.flatMap((turn) => turn.timersSet.map(() => turn.id))),
    textArray(timers.map(({ kind }) => kind)),
    plainArray(timers.map(({ dueAt }) => dueAt)),
  ];
}
