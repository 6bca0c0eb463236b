import type { WorkerTurn } from "../../turns.ts";
import { plainArray, textArray } from "../arrays.ts";
import type { Parameter } from "../line.ts";
import { ktStale } from "../sql-state.ts";

const given = `
from (
  select
    unnest($1::text::uuid[]) as id,
    unnest($2::text::int[]) as expected_seq,
    unnest($3::text::text[]) as namespace,
    unnest($4::text::text[]) as name,
    unnest($5::text::text[]) as instance,
    unnest($6::text::text[]) as status,
    unnest($7::text::int[]) as seq,
    unnest($8::text::json[]) as snapshot,
    unnest($9::text::uuid[]) as node,
    unnest($10::text::int[]) as slots,
    unnest($11::text::jsonb[]) as labels,
    unnest($12::text::json[]) as definitions,
    unnest($13::text::float8[]) as registered_at,
    unnest($14::text::float8[]) as lease_ms
) as given`;

const leasedUntil = "clock_timestamp() + given.lease_ms * interval '1 millisecond'";

/** A name that is taken refuses the batch. */
export const insertWorkers = `
insert into kantoku.workers (
  id, namespace, name, instance, status, seq, snapshot, node, slots, labels, definitions,
  registered_at, expires_at
)
select id, namespace, name, instance, status, seq, snapshot, node, slots, labels, definitions,
  kantoku.instant(registered_at), ${leasedUntil}
${given}`;

export const updateWorkers = `
with touched as (
  update kantoku.workers as workers
  set namespace = given.namespace,
    name = given.name,
    instance = given.instance,
    status = given.status,
    seq = given.seq,
    snapshot = given.snapshot,
    node = given.node,
    slots = given.slots,
    labels = given.labels,
    definitions = given.definitions,
    registered_at = kantoku.instant(given.registered_at),
    expires_at = ${leasedUntil}
  ${given}
  where workers.id = any ($1::text::uuid[])
    and workers.id = given.id
    and workers.seq = given.expected_seq
  returning workers.id
)
select case when (select count(*) from touched) <> $15::int then
  kantoku.refuse('${ktStale}', 'workers stand elsewhere')
end`;

export function insertWorkersParameters(turns: readonly WorkerTurn[]): Parameter[] {
  const rows = turns.map(({ row }) => row);
  return [
    plainArray(rows.map(({ id }) => id)),
    plainArray(turns.map(({ expectedSeq }) => expectedSeq)),
    textArray(rows.map(({ namespace }) => namespace)),
    textArray(rows.map(({ name }) => name)),
    textArray(rows.map(({ instance }) => instance)),
    textArray(rows.map(({ status }) => status)),
    plainArray(rows.map(({ seq }) => seq)),
    textArray(rows.map(({ snapshot }) => snapshot)),
    plainArray(rows.map(({ node }) => node)),
    plainArray(rows.map(({ slots }) => slots)),
    textArray(rows.map(({ labels }) => labels)),
    textArray(rows.map(({ definitions }) => definitions)),
    plainArray(rows.map(({ registeredAt }) => registeredAt)),
    plainArray(turns.map(({ leaseMs }) => leaseMs)),
  ];
}

export function updateWorkersParameters(turns: readonly WorkerTurn[]): Parameter[] {
  return [...insertWorkersParameters(turns), turns.length];
}
