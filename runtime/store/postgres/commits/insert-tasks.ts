import { plainArray, textArray } from "../arrays.ts";
import type { Parameter } from "../line.ts";
import type { Submit } from "./sorting.ts";

/**
 * Submits of a batch, in the order of their keys: two batches that hold the same keys in opposite
 * orders would wait for each other. Events, ready rows and timers follow only the tasks that were
 * really inserted. Answers with the losers.
 *
 * "(x in (…)) is true" keeps the planner from making a join of it, for which nested loops, the
 * only kind allowed here, would compare every event with every task; as it stands it is hashed.
 */
export const insertTasks = `
with inserted as (
  insert into kantoku.tasks (
    id, namespace, definition, key, priority, input, labels, metadata, root, parent, trace,
    created_at, status, version, seq, snapshot, owner, worker, attempt, output, error,
    started_at, ended_at
  )
  select
    id, namespace, definition, key, priority, input, labels, metadata, root, parent, trace,
    kantoku.instant(created_at), status, version, seq, snapshot, owner, worker, attempt, output,
    error, kantoku.instant(started_at), kantoku.instant(ended_at)
  from unnest(
    $1::text::uuid[], $2::text::text[], $3::text::text[], $4::text::text[], $5::text::int[],
    $6::text::json[], $7::text::jsonb[], $8::text::jsonb[], $9::text::uuid[], $10::text::uuid[],
    $11::text::text[], $12::text::float8[], $13::text::text[], $14::text::text[], $15::text::int[],
    $16::text::json[], $17::text::uuid[], $18::text::uuid[], $19::text::int[], $20::text::json[],
    $21::text::json[], $22::text::float8[], $23::text::float8[]
  ) as given (
    id, namespace, definition, key, priority, input, labels, metadata, root, parent, trace,
    created_at, status, version, seq, snapshot, owner, worker, attempt, output, error,
    started_at, ended_at
  )
  on conflict (namespace, key) where key is not null do nothing
  returning id, namespace, definition, version, priority, status, owner
), journaled as (
  insert into kantoku.events (actor, seq, type, at, data)
  select actor, seq, type, kantoku.instant(at), data
  from unnest(
    $24::text::uuid[], $25::text::int[], $26::text::text[], $27::text::float8[], $28::text::json[]
  ) as given (actor, seq, type, at, data)
  where (actor in (select id from inserted)) is true
), queued as (
  insert into kantoku.ready (id, namespace, definition, version, priority)
  select id, namespace, definition, version, priority from inserted
  where status = 'ready' and owner is null
), timed as (
  insert into kantoku.timers (actor, kind, due_at)
  select actor, kind, kantoku.instant(due_at)
  from unnest($29::text::uuid[], $30::text::text[], $31::text::float8[])
    as given (actor, kind, due_at)
  where (actor in (select id from inserted)) is true
)
select id from unnest($1::text::uuid[]) as given (id)
where (id in (select id from inserted)) is not true`;

export function insertTasksParameters(submits: readonly Submit[]): Parameter[] {
  const identities = submits.map(({ identity }) => identity);
  const states = submits.map(({ state }) => state);
  const events = submits.flatMap((turn) => turn.events);
  const timers = submits.flatMap((turn) => turn.timersSet);
  return [
    plainArray(identities.map(({ id }) => id)),
    textArray(identities.map(({ namespace }) => namespace)),
    textArray(identities.map(({ definition }) => definition)),
    textArray(identities.map(({ key }) => key)),
    plainArray(identities.map(({ priority }) => priority)),
    textArray(identities.map(({ input }) => input)),
    textArray(identities.map(({ labels }) => labels)),
    textArray(identities.map(({ metadata }) => metadata)),
    plainArray(identities.map(({ root }) => root)),
    plainArray(identities.map(({ parent }) => parent)),
    textArray(identities.map(({ trace }) => trace)),
    plainArray(identities.map(({ createdAt }) => createdAt)),
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

    plainArray(submits.flatMap((turn) => turn.events.map(() => turn.id))),
    plainArray(events.map(({ seq }) => seq)),
    textArray(events.map(({ type }) => type)),
    plainArray(events.map(({ at }) => at)),
    textArray(events.map(({ data }) => data)),

    plainArray(submits.flatMap((turn) => turn.timersSet.map(() => turn.id))),
    textArray(timers.map(({ kind }) => kind)),
    plainArray(timers.map(({ dueAt }) => dueAt)),
  ];
}
