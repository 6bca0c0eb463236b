import type { WatchStore } from "../store.ts";
import { plainArray } from "./arrays.ts";
import type { Connections } from "./connections.ts";
import { isId } from "./rows.ts";

/** The mark on the task is never taken back: it only saves unwatched tasks the second look. */
const watch = `
with marked as (
  update kantoku.tasks set watched = true where id = $2::uuid and not watched
)
insert into kantoku.watches (node, task) values ($1::uuid, $2::uuid)
on conflict (task, node) do nothing`;

const unwatch = "delete from kantoku.watches where node = $1::uuid and task = $2::uuid";

const watchers = `
select distinct node from kantoku.watches where task = any ($1::text::uuid[])`;

export function createWatchStore({ readers, desk }: Connections): WatchStore {
  return {
    async watch(node, task) {
      await desk.ask(watch, [node, task]);
    },

    async unwatch(node, task) {
      await desk.ask(unwatch, [node, task]);
    },

    async watchers(tasks) {
      const known = tasks.filter(isId);
      if (known.length === 0) return [];
      const rows = await readers.ask(watchers, [plainArray(known)]);
      return rows.map((row) => String(row["node"]));
    },
  };
}
