import { plainArray, textArray } from "../arrays.ts";
import type { Parameter } from "../line.ts";
import { isQueued, type Submit } from "./sorting.ts";
import { stateParameters } from "./state-parameters.ts";
import type { Statement } from "./statement.ts";

/**
 * Submits of a batch, in the order of their keys: two batches that hold the same keys in opposite
 * orders would wait for each other. Events, ready rows and timers follow only the tasks that were
 * really inserted. Answers with the losers.
 *
 * "(x in (…)) is true" keeps the planner from making a join of it, for which nested loops, the
 * only kind allowed here, would compare every event with every task; as it stands it is hashed.
 */
const insertedColumns = (place: string) => `
with inserted as (
  insert into kantoku.tasks (
    id, namespace, definition, key, priority, input, labels, metadata, root, parent, trace,
    created_at, status, version, seq, snapshot, owner, worker, attempt, output, error,
    started_at, ended_at${place}
  )
  select
    id, namespace, definition, key, priority, input, labels, metadata, root, parent, trace,
    kantoku.instant(created_at), status, version, seq, snapshot, owner, worker, attempt, output,
    error, kantoku.instant(started_at), kantoku.instant(ended_at)${place}
  from (
    select
      unnest($1::text::uuid[]) as id,
      unnest($2::text::text[]) as namespace,
      unnest($3::text::text[]) as definition,
      unnest($4::text::text[]) as key,
      unnest($5::text::int[]) as priority,
      unnest($6::text::json[]) as input,
      unnest($7::text::jsonb[]) as labels,
      unnest($8::text::jsonb[]) as metadata,
      unnest($9::text::uuid[]) as root,
      unnest($10::text::uuid[]) as parent,
      unnest($11::text::text[]) as trace,
      unnest($12::text::float8[]) as created_at,
      unnest($13::text::text[]) as status,
      unnest($14::text::text[]) as version,
      unnest($15::text::int[]) as seq,
      unnest($16::text::json[]) as snapshot,
      unnest($17::text::uuid[]) as owner,
      unnest($18::text::uuid[]) as worker,
      unnest($19::text::int[]) as attempt,
      unnest($20::text::json[]) as output,
      unnest($21::text::json[]) as error,
      unnest($22::text::float8[]) as started_at,
      unnest($23::text::float8[]) as ended_at`;

const standingAlone = `
  ) as given
  on conflict (key, namespace) where key is not null do nothing`;

/**
 * A task under another is inserted only where that one is: all of a graph goes with the key of its
 * root. A child that its parent's earlier attempt made is there already, and so is a new root
 * that somebody else has made first.
 */
const standingInGraph = `,
      unnest($32::text::text[]) as kind,
      unnest($33::text::text[]) as name,
      unnest($34::text::json[]) as graph,
      unnest($35::text::int[]) as depth,
      unnest($36::text::bool[]) as awaited,
      unnest($37::text::uuid[]) as restart_of,
      unnest($38::text::uuid[]) as restart_root
  ) as given
  where parent is null or (parent in (
    select id from kantoku.tasks where id = any ($10::text::uuid[]) for key share
  )) is true
  on conflict do nothing`;

const journaled = `
  returning id, namespace, definition, version, priority, status, owner
), journaled as (
  insert into kantoku.events (actor, seq, type, at, data)
  select actor, seq, type, kantoku.instant(at), data
  from (
    select
      unnest($24::text::uuid[]) as actor,
      unnest($25::text::int[]) as seq,
      unnest($26::text::text[]) as type,
      unnest($27::text::float8[]) as at,
      unnest($28::text::json[]) as data
  ) as given
  where (actor in (select id from inserted)) is true
)`;

/** Left out where nothing would be queued or timed: what is planned is also started and ended. */
const queued = `, queued as (
  insert into kantoku.ready (id, namespace, definition, version, priority)
  select id, namespace, definition, version, priority from inserted
  where status = 'ready' and owner is null
)`;

const timed = `, timed as (
  insert into kantoku.timers (actor, kind, due_at)
  select actor, kind, kantoku.instant(due_at)
  from (
    select
      unnest($29::text::uuid[]) as actor,
      unnest($30::text::text[]) as kind,
      unnest($31::text::float8[]) as due_at
  ) as given
  where (actor in (select id from inserted)) is true
)`;

const losers = `
select id from unnest($1::text::uuid[]) as given (id)
where (id in (select id from inserted)) is not true`;

const submitted = insertedColumns("") + standingAlone + journaled;
const submittedInGraph =
  insertedColumns(", kind, name, graph, depth, awaited, restart_of, restart_root") +
  standingInGraph +
  journaled;

export const insertTasks = {
  plain: submitted + losers,
  queued: submitted + queued + losers,
  timed: submitted + timed + losers,
  queuedAndTimed: submitted + queued + timed + losers,
  inGraph: submittedInGraph + queued + timed + losers,
} as const;

export function insertTasksStatement(submits: readonly Submit[]): Statement {
  const isTimed = submits.some(({ timersSet }) => timersSet.length > 0);
  const parameters = taskParameters(submits);
  if (!isTimed) {
    const text = submits.some(isQueued) ? insertTasks.queued : insertTasks.plain;
    return { text, parameters, answers: "losers" };
  }
  const text = submits.some(isQueued) ? insertTasks.queuedAndTimed : insertTasks.timed;
  return { text, parameters: [...parameters, ...timerParameters(submits)], answers: "losers" };
}

export function insertGraphStatement(submits: readonly Submit[]): Statement {
  const places = submits.map(({ identity }) => identity.place);
  const parameters = [
    ...taskParameters(submits),
    ...timerParameters(submits),
    textArray(places.map((place) => place?.kind ?? "task")),
    textArray(places.map((place) => place?.name ?? null)),
    textArray(places.map((place) => place?.graph ?? null)),
    plainArray(places.map((place) => place?.depth ?? 0)),
    plainArray(places.map((place) => String(place?.isAwaited ?? false))),
    plainArray(submits.map(({ identity }) => identity.restart?.of ?? null)),
    plainArray(submits.map(({ identity }) => identity.restart?.root ?? null)),
  ];
  return { text: insertTasks.inGraph, parameters, answers: "losers" };
}

function taskParameters(submits: readonly Submit[]): Parameter[] {
  const identities = submits.map(({ identity }) => identity);
  const states = submits.map(({ state }) => state);
  const events = submits.flatMap((turn) => turn.events);
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
    ...stateParameters(states),

    plainArray(submits.flatMap((turn) => turn.events.map(() => turn.id))),
    plainArray(events.map(({ seq }) => seq)),
    textArray(events.map(({ type }) => type)),
    plainArray(events.map(({ at }) => at)),
    textArray(events.map(({ data }) => data)),
  ];
}

function timerParameters(submits: readonly Submit[]): Parameter[] {
  const timers = submits.flatMap((turn) => turn.timersSet);
  return [
    plainArray(submits.flatMap((turn) => turn.timersSet.map(() => turn.id))),
    textArray(timers.map(({ kind }) => kind)),
    plainArray(timers.map(({ dueAt }) => dueAt)),
  ];
}
