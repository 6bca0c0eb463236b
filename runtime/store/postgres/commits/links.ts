import type { TaskTurn } from "../../turns.ts";
import { idArray, plainArray, textArray } from "../arrays.ts";
import type { Parameter } from "../line.ts";
import { ktStale } from "../sql-state.ts";
import type { Dependents } from "./sorting.ts";

/** The input that a task waited for. */
export const resolveInputs = `
update kantoku.tasks as tasks set input = given.input
from (
  select unnest($1::text::uuid[]) as id, unnest($2::text::json[]) as input
) as given
where tasks.id = any ($1::text::uuid[]) and tasks.id = given.id`;

/**
 * Gates, with what they count. Of tasks whose submit was lost to another one there is nothing to
 * wait for. That their seq is looked at is for the planner: no index has it, so the one of the ids
 * is the one to take.
 */
const gated = `
insert into kantoku.gates as gates (task, dependencies, pending)
select task, dependencies, cardinality(dependencies)
from (
  select unnest($1::text::uuid[]) as task, unnest($2::text::text[])::uuid[] as dependencies
) as given
where (task in (
  select id from kantoku.tasks where id = any ($1::text::uuid[]) and seq > 0
)) is true
order by task`;

const added = `array(
  select dependency from unnest(excluded.dependencies) as dependency
  where dependency <> all (gates.dependencies)
)`;

export const writeGates = {
  /** Nothing of theirs can be there before them, and to look for it costs a third. */
  ofNew: gated,
  ofKnown: `${gated}
on conflict (task) do update set
  pending = gates.pending + cardinality(${added}),
  dependencies = gates.dependencies || ${added}`,
} as const;

/** Of tasks that were there before who waits for them: others are inserted with their dependents. */
export const addDependents = `
update kantoku.tasks as tasks set dependents = coalesce(tasks.dependents, '{}') || array(
  select dependent from unnest(given.dependents) as dependent
  where dependent <> all (coalesce(tasks.dependents, '{}'))
)
from (
  select unnest($1::text::uuid[]) as id, unnest($2::text::text[])::uuid[] as dependents
) as given
where tasks.id = any ($1::text::uuid[]) and tasks.id = given.id`;

const released = `'{"type":"released"}'`;

/** The gates of all that depend on the tasks `$1`, locked, and by how many of these each is kept. */
const lockedGates = `
counted as (
  select dependent, count(*)::int as dependencies
  from (
    -- Fenced in, or the tasks would be read in the order in which they are to be grouped.
    select unnest(dependents) as dependent from kantoku.tasks
    where id = any ($1::text::uuid[]) offset 0
  ) as cut
  group by dependent
), locked as materialized (
  select task from kantoku.gates
  where task = any (array(select dependent from counted))
  order by task
  for no key update
)`;

/**
 * Counts down what waited for the ends of these tasks, and writes to those who wait for nothing
 * more. The last statement of a batch, because the gate of a task that thousands precede is what
 * commits of different lanes meet at; locked in the order of ids, so that they never wait in a circle.
 */
export const releaseDependents = `
with foretold as materialized (
  -- Read out of its text once: in a condition it would be, for every row.
  select unnest($2::text::uuid[]) as task
), ${lockedGates}, lowered as (
  update kantoku.gates as gates set pending = gates.pending - counted.dependencies
  from counted
  where gates.task = any (array(select task from locked)) and gates.task = counted.dependent
  returning gates.task, gates.pending
), posted as (
  insert into kantoku.mail (id, actor, message)
  select gen_random_uuid(), task, ${released}::json from lowered
  where pending = 0 and (task in (select task from foretold)) is not true
  returning actor
)
select actor as id from posted
union all
select case
  when (
    select count(*) from lowered
    where pending = 0 and (task in (select task from foretold)) is true
  ) <> (select count(*) from foretold) then
    kantoku.refuse('${ktStale}', 'tasks wait for more than was foretold')::text::uuid
end`;

/** Counts up again what had counted the ends of these tasks, locked as they are to count down. */
export const reopenDependencies = `
with ${lockedGates}
update kantoku.gates as gates set pending = gates.pending + counted.dependencies
from counted
where gates.task = any (array(select task from locked)) and gates.task = counted.dependent`;

/**
 * Writes to those of these tasks that wait for nothing. A gate that others are about to open is
 * waited for: whoever comes second sees it as it is then, and exactly one of the two writes.
 */
export const askGates = `
with closed as materialized (
  select task, pending from kantoku.gates
  where task = any ($1::text::uuid[])
  order by task
  for no key update
)
insert into kantoku.mail (id, actor, message)
select gen_random_uuid(), id, ${released}::json
from unnest($1::text::uuid[]) as given (id)
where (id in (select task from closed where pending > 0)) is not true
returning actor as id`;

export const postLetters = `
insert into kantoku.mail (id, actor, message)
select id, actor, message
from (
  select
    unnest($1::text::uuid[]) as id,
    unnest($2::text::uuid[]) as actor,
    unnest($3::text::json[]) as message
) as given
where (actor in (
  select id from kantoku.tasks where id = any ($2::text::uuid[]) for key share
)) is true
on conflict (id) do nothing
returning actor as id`;

/**
 * To the first on each way down that have not ended: what is under those is theirs to tell. The
 * fence keeps the way down from being read as a join, for which all tasks would be gone through.
 */
export const writeToChildren = `
with recursive under as (
  select children.id, children.ended_at, given.message
  from kantoku.tasks as children, (
    select unnest($1::text::uuid[]) as parent, unnest($2::text::json[]) as message
  ) as given
  where children.parent = any ($1::text::uuid[]) and children.parent = given.parent
  union all
  select below.id, below.ended_at, under.message
  from under cross join lateral (
    select id, ended_at from kantoku.tasks where parent = under.id offset 0
  ) as below
  where under.ended_at is not null
)
insert into kantoku.mail (id, actor, message)
select gen_random_uuid(), id, message from under where ended_at is null
returning actor as id`;

export function resolveInputsParameters(turns: readonly TaskTurn[]): Parameter[] {
  return [
    plainArray(turns.map(({ id }) => id)),
    textArray(turns.map(({ links }) => links?.input ?? "null")),
  ];
}

export function writeGatesParameters(turns: readonly TaskTurn[]): Parameter[] {
  return [
    plainArray(turns.map(({ id }) => id)),
    textArray(turns.map(({ links }) => idArray(links?.dependsOn ?? []))),
  ];
}

export function addDependentsParameters(edges: readonly Dependents[]): Parameter[] {
  return [
    plainArray(edges.map(({ id }) => id)),
    textArray(edges.map(({ dependents }) => dependents)),
  ];
}

/** For statements that are given tasks and nothing more. */
export function linkedTasksParameters(turns: readonly TaskTurn[]): Parameter[] {
  return [plainArray(turns.map(({ id }) => id))];
}

export function releaseDependentsParameters(
  ended: readonly TaskTurn[],
  foretold: readonly TaskTurn[],
): Parameter[] {
  return [plainArray(ended.map(({ id }) => id)), plainArray(foretold.map(({ id }) => id))];
}

export function postLettersParameters(turns: readonly TaskTurn[]): Parameter[] {
  const letters = turns.flatMap(({ links }) => links?.posts ?? []);
  return [
    plainArray(letters.map(({ id }) => id)),
    plainArray(letters.map(({ actor }) => actor)),
    textArray(letters.map(({ message }) => message)),
  ];
}

export function writeToChildrenParameters(turns: readonly TaskTurn[]): Parameter[] {
  return [
    plainArray(turns.map(({ id }) => id)),
    textArray(turns.map(({ links }) => links?.toChildren ?? "null")),
  ];
}
