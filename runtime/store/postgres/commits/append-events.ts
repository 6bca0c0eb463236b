import type { Turn } from "../../turns.ts";
import { plainArray, textArray } from "../arrays.ts";
import type { Parameter } from "../line.ts";

/** Events of known tasks and of workers. A seq that is taken refuses the batch. */
export const appendEvents = `
insert into kantoku.events (actor, seq, type, at, data)
select actor, seq, type, kantoku.instant(at), data
from (
  select
    unnest($1::text::uuid[]) as actor,
    unnest($2::text::int[]) as seq,
    unnest($3::text::text[]) as type,
    unnest($4::text::float8[]) as at,
    unnest($5::text::json[]) as data
) as given`;

export function appendEventsParameters(turns: readonly Turn[]): Parameter[] {
  const events = turns.flatMap((turn) => turn.events);
  return [
    plainArray(turns.flatMap((turn) => turn.events.map(() => turn.id))),
    plainArray(events.map(({ seq }) => seq)),
    textArray(events.map(({ type }) => type)),
    plainArray(events.map(({ at }) => at)),
    textArray(events.map(({ data }) => data)),
  ];
}
