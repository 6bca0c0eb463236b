import type { WatchStore } from "../store.ts";
import { plainArray } from "./arrays.ts";
import type { Connections } from "./connections.ts";
import { isId } from "./rows.ts";

/**
 * Touches no task: a claim passes over one that somebody else is at, and may find no other. The
 * mark that older nodes set on it (`tasks.watched`) is left to them, until none of them is left.
 */
const watch = `
insert into kantoku.watches (node, task) select $1::uuid, unnest($2::text::uuid[])
on conflict (task, node) do nothing`;

export const unwatch =
  "delete from kantoku.watches where node = $1::uuid and task = any ($2::text::uuid[])";

export const watchers =
  "select node, task from kantoku.watches where task = any ($1::text::uuid[])";

export function createWatchStore({ notices }: Connections): WatchStore {
  return {
    async watch(node, tasks) {
      await notices.ask(watch, [node, plainArray(tasks)]);
    },

    async unwatch(node, tasks) {
      await notices.ask(unwatch, [node, plainArray(tasks)]);
    },

    async watchers(tasks) {
      const known = tasks.filter(isId);
      if (known.length === 0) return [];
      const rows = await notices.ask(watchers, [plainArray(known)]);
      return rows.map((row) => ({ node: String(row["node"]), task: String(row["task"]) }));
    },
  };
}
