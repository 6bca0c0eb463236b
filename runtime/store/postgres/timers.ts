import type { TimerRow } from "../rows.ts";
import type { TimerStore } from "../store.ts";
import type { Connections } from "./connections.ts";
import { lockedTask, mayTake, ownLease, tail, takeChosen, takenBy } from "./ownership.ts";
import { taskColumns } from "./rows.ts";

/**
 * The instant is a subquery, evaluated once: compared with the function itself, which is volatile,
 * the index of due timers could not be searched but only read to its end.
 */
export const takeDue = `
with ${ownLease}, chosen as (
  select timers.kind as timer, timers.due_at, ${taskColumns.of("task")}
  from own
  cross join kantoku.timers as timers
  cross join lateral ${lockedTask("timers.actor", { where: mayTake, whenTaken: "skip" })} as task
  where timers.due_at <= (select clock_timestamp())
  order by timers.due_at
  limit $2::int
  for no key update of timers skip locked
), ${takeChosen}
select timer, due_at, ${taskColumns.bare}, ${tail} from chosen order by due_at, id, timer`;

export const untilNext = `
select greatest(0, extract(epoch from due_at - clock_timestamp()) * 1000)::float8 as wait
from kantoku.timers order by due_at limit 1`;

export function createTimerStore({ takings, readers }: Connections): TimerStore {
  return {
    async takeDue(node, limit) {
      const rows = await takings.ask(takeDue, [node, limit]);
      const tasks = await takenBy(node, rows, { send: takings.ask });
      return tasks.map((task, index) => ({
        timer: {
          actor: task.id,
          kind: rows[index]?.["timer"],
          dueAt: rows[index]?.["due_at"],
        } as TimerRow,
        task,
      }));
    },

    async untilNext() {
      const [row] = await readers.ask(untilNext);
      return row === undefined ? null : Number(row["wait"]);
    },
  };
}
