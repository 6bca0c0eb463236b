import type { PipelineRow } from "../rows.ts";
import type { PipelineStore } from "../store.ts";
import { boundedPart, partOf } from "./bounded-part.ts";
import type { Connections } from "./connections.ts";
import type { Row } from "./line.ts";

const columns = "namespace, name, version, body, registered_at";

const save = `
insert into kantoku.pipelines (${columns})
values ($1::text, $2::text, $3::text, $4::text::json, kantoku.instant($5::float8))
on conflict (namespace, name, version) do nothing`;

const readVersion = `
select ${columns} from kantoku.pipelines
where namespace = $1::text and name = $2::text and version = $3::text`;

const readLatest = `
select ${columns} from kantoku.pipelines
where namespace = $1::text and name = $2::text
order by registered_at desc, version desc
limit 1`;

const list = boundedPart({
  text: `
select distinct on (name) ${columns} from kantoku.pipelines
where namespace = $1::text and name > $2::text
order by name, registered_at desc, version desc
limit $3::int`,
  columns,
  large: ["body"],
  order: "name",
  bytesMax: "$4::bigint",
});

export function createPipelineStore({ readers, desk }: Connections): PipelineStore {
  return {
    async save({ namespace, name, version, body, registeredAt }) {
      await desk.ask(save, [namespace, name, version, body, registeredAt]);
    },

    async read(namespace, name, version) {
      const [row] =
        version === null
          ? await readers.ask(readLatest, [namespace, name])
          : await readers.ask(readVersion, [namespace, name, version]);
      return row === undefined ? null : pipelineOf(row);
    },

    async list(namespace, { beyond, limit, bytesMax }) {
      return partOf(await readers.ask(list, [namespace, beyond, limit, bytesMax]), pipelineOf);
    },
  };
}

function pipelineOf(row: Row): PipelineRow {
  return {
    namespace: row["namespace"],
    name: row["name"],
    version: row["version"],
    body: row["body"],
    registeredAt: row["registered_at"],
  } as PipelineRow;
}
