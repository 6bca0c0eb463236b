import type { TaskTurn } from "../../turns.ts";
import { plainArray, textArray } from "../arrays.ts";
import type { Parameter } from "../line.ts";
import { ktStale } from "../sql-state.ts";

/**
 * Turns of known tasks. Raises unless each of them stood at its expected seq and was this node's.
 * Answers with the tasks that another node watches.
 */
export const updateTasks = `
with given as not materialized (
  select *
  from unnest(
    $2::text::uuid[], $3::text::int[], $4::text::text[], $5::text::text[], $6::text::int[],
    $7::text::json[], $8::text::uuid[], $9::text::uuid[], $10::text::int[], $11::text::json[],
    $12::text::json[], $13::text::float8[], $14::text::float8[]
  ) as given (
    id, expected_seq, status, version, seq, snapshot, owner, worker, attempt, output, error,
    started_at, ended_at
  )
), touched as (
  update kantoku.tasks as tasks
  set status = given.status,
    version = given.version,
    seq = given.seq,
    snapshot = given.snapshot,
    owner = given.owner,
    worker = given.worker,
    attempt = given.attempt,
    output = given.output,
    error = given.error,
    started_at = kantoku.instant(given.started_at),
    ended_at = kantoku.instant(given.ended_at)
  from given
  where tasks.id = given.id and tasks.seq = given.expected_seq and tasks.owner = $1::uuid
  returning tasks.id, tasks.namespace, tasks.definition, tasks.version, tasks.priority,
    tasks.status, tasks.owner, tasks.watched
), queued as (
  insert into kantoku.ready (id, namespace, definition, version, priority)
  select id, namespace, definition, version, priority from touched
  where status = 'ready' and owner is null
)
select id, null as verdict from touched
where watched and exists (
  select from kantoku.watches where watches.task = touched.id and watches.node <> $1::uuid
)
union all
select null, case
  when (select count(*) from touched) <> $15::int then
    kantoku.refuse('${ktStale}', 'tasks stand elsewhere: ' || coalesce((
      select string_agg(id::text, ' ') from unnest($2::text::uuid[]) as given (id)
      where (id in (select id from touched)) is not true
    ), 'twice in a batch'))
  end::text`;

export function updateTasksParameters(node: string, updates: readonly TaskTurn[]): Parameter[] {
  const states = updates.map(({ state }) => state);
  return [
    node,
    plainArray(updates.map(({ id }) => id)),
    plainArray(updates.map(({ expectedSeq }) => expectedSeq)),
    textArray(states.map(({ status }) => status)),
    textArray(states.map(({ version }) => version)),
    plainArray(states.map(({ seq }) => seq)),
    textArray(states.map(({ snapshot }) => snapshot)),
    plainArray(states.map(({ owner }) => owner)),
    plainArray(states.map(({ worker }) => worker)),
    plainArray(states.map(({ attempt }) => attempt)),
    textArray(states.map(({ output }) => output)),
    textArray(states.map(({ error }) => error)),
    plainArray(states.map(({ startedAt }) => startedAt)),
    plainArray(states.map(({ endedAt }) => endedAt)),
    updates.length,
  ];
}
