import type { DefinitionRow } from "../rows.ts";
import type { DefinitionStore } from "../store.ts";
import { textArray } from "./arrays.ts";
import type { Connections } from "./connections.ts";

/** In the order of their keys: nodes register the same definitions at the same time. */
const save = `
insert into kantoku.definitions as definitions (namespace, name, version, policy)
select namespace, name, version, policy
from unnest($1::text::text[], $2::text::text[], $3::text::text[], $4::text::json[])
  as given (namespace, name, version, policy)
order by namespace, name, version
on conflict (namespace, name, version) do update set policy = excluded.policy
where definitions.policy::text <> excluded.policy::text`;

const list = `
select namespace, name, version, policy from kantoku.definitions
where namespace = $1::text order by name, version`;

export function createDefinitionStore({ readers, desk }: Connections): DefinitionStore {
  return {
    async save(rows) {
      const last = [...new Map(rows.map((row) => [keyOf(row), row])).values()];
      if (last.length === 0) return;
      await desk.ask(save, [
        textArray(last.map(({ namespace }) => namespace)),
        textArray(last.map(({ name }) => name)),
        textArray(last.map(({ version }) => version)),
        textArray(last.map(({ policy }) => policy)),
      ]);
    },

    async list(namespace) {
      return (await readers.ask(list, [namespace])) as unknown as readonly DefinitionRow[];
    },
  };
}

function keyOf({ namespace, name, version }: DefinitionRow): string {
  return JSON.stringify([namespace, name, version]);
}
