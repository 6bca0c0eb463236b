import type { TimerRow } from "../rows.ts";
import type { TimerStore } from "../store.ts";
import type { Connections } from "./connections.ts";
import { mayTake, ownLease, takeChosen } from "./ownership.ts";
import { taskColumns, taskOf } from "./rows.ts";

/**
 * The instant is a subquery, evaluated once: compared with the function itself, which is volatile,
 * the index of due timers could not be searched but only read to its end.
 */
export const takeDue = `
with ${ownLease}, due as (
  select timers.actor as id, timers.kind, timers.due_at
  from own
  cross join kantoku.timers as timers
  join kantoku.tasks as tasks on tasks.id = timers.actor
  where timers.due_at <= (select clock_timestamp()) and ${mayTake}
  order by timers.due_at
  limit $2::int
  for no key update of tasks skip locked
), chosen as (
  select distinct id from due
), ${takeChosen}
select ${taskColumns.of("taken")}, timers.kind, timers.due_at
from taken
join kantoku.timers as timers on timers.actor = taken.id
where timers.due_at <= (select clock_timestamp())
order by timers.due_at, timers.actor, timers.kind
limit $2::int`;

export const untilNext = `
select greatest(0, extract(epoch from due_at - clock_timestamp()) * 1000)::float8 as wait
from kantoku.timers order by due_at limit 1`;

export function createTimerStore({ takings, readers }: Connections): TimerStore {
  return {
    async takeDue(node, limit) {
      const rows = await takings.ask(takeDue, [node, limit]);
      return rows.map((row) => ({
        timer: { actor: row["id"], kind: row["kind"], dueAt: row["due_at"] } as TimerRow,
        task: taskOf(row),
      }));
    },

    async untilNext() {
      const [row] = await readers.ask(untilNext);
      return row === undefined ? null : Number(row["wait"]);
    },
  };
}
