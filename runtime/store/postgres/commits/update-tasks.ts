import type { TaskTurn } from "../../turns.ts";
import { plainArray, textArray } from "../arrays.ts";
import type { Parameter } from "../line.ts";
import { ktStale } from "../sql-state.ts";
import { isQueued } from "./sorting.ts";
import { stateParameters } from "./state-parameters.ts";
import type { Statement } from "./statement.ts";

interface Variant {
  readonly given: string;
  readonly set: string;
  readonly mayWrite: string;
}

/**
 * Turns of known tasks. Raises unless each of them stood at its expected seq and was this node's.
 * Answers with the tasks that another node watches.
 *
 * "is not distinct from" where "=" would do, because no index can serve it: all that this node
 * owns is no way to a task. The watches are read only when some touched task has ever been watched.
 */
const updating = ({ given, set, mayWrite }: Variant) => `
with given as (
  select
    unnest($2::text::uuid[]) as id,
    unnest($3::text::int[]) as expected_seq,
    unnest($4::text::text[]) as status,
    unnest($5::text::text[]) as version,
    unnest($6::text::int[]) as seq,
    unnest($7::text::json[]) as snapshot,
    unnest($8::text::uuid[]) as owner,
    unnest($9::text::uuid[]) as worker,
    unnest($10::text::int[]) as attempt,
    unnest($11::text::json[]) as output,
    unnest($12::text::json[]) as error,
    unnest($13::text::float8[]) as started_at,
    unnest($14::text::float8[]) as ended_at${given}
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
    ended_at = kantoku.instant(given.ended_at)${set}
  from given
  where tasks.id = any ($2::text::uuid[])
    and tasks.id = given.id
    and tasks.seq = given.expected_seq
    and ${mayWrite}
  returning tasks.id, tasks.namespace, tasks.definition, tasks.version, tasks.priority,
    tasks.status, tasks.owner, tasks.watched
)`;

const queued = `, queued as (
  insert into kantoku.ready (id, namespace, definition, version, priority)
  select id, namespace, definition, version, priority from touched
  where status = 'ready' and owner is null
)`;

const watched = `
select id, null as verdict from touched
where watched and id = any (array(
  select task from kantoku.watches where task = any ($2::text::uuid[]) and node <> $1::uuid
))
union all
select null, case
  when (select count(*) from touched) <> $15::int then
    kantoku.refuse('${ktStale}', 'tasks stand elsewhere: ' || coalesce((
      select string_agg(id::text, ' ') from unnest($2::text::uuid[]) as given (id)
      where (id in (select id from touched)) is not true
    ), 'twice in a batch'))
  end::text`;

const updated = updating({
  given: "",
  set: "",
  mayWrite: "tasks.owner is not distinct from $1::uuid",
});
/** Tasks that waited unowned for what ends in the same batch; with it comes their input. */
const foretold = updating({
  given: ",\n    unnest($16::text::json[]) as input",
  set: ",\n    input = coalesce(given.input, tasks.input)",
  mayWrite: "tasks.owner is null",
});

export const updateTasks = {
  foretold: foretold + queued + watched,
  plain: updated + watched,
  queued: updated + queued + watched,
} as const;

export function updateTasksStatement(node: string, updates: readonly TaskTurn[]): Statement {
  return {
    text: updates.some(isQueued) ? updateTasks.queued : updateTasks.plain,
    parameters: updateParameters(node, updates),
    answers: "watched",
  };
}

export function updateForetoldStatement(node: string, updates: readonly TaskTurn[]): Statement {
  const inputs = textArray(updates.map(({ links }) => links?.input ?? null));
  const parameters = [...updateParameters(node, updates), inputs];
  return { text: updateTasks.foretold, parameters, answers: "watched" };
}

function updateParameters(node: string, updates: readonly TaskTurn[]): Parameter[] {
  const states = updates.map(({ state }) => state);
  return [
    node,
    plainArray(updates.map(({ id }) => id)),
    plainArray(updates.map(({ expectedSeq }) => expectedSeq)),
    ...stateParameters(states),
    updates.length,
  ];
}
