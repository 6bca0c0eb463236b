import type { TaskTurn } from "../../turns.ts";
import type { Parameter } from "../line.ts";
import { ktStale } from "../sql-state.ts";
import { fewEventRows } from "./append-events.ts";
import { type Column, fewRowsOf, type Rows } from "./columns.ts";
import { behindFence, inTwoForms, type Passage } from "./fence.ts";
import { aloneColumns, namesOf } from "./insert-tasks.ts";
import { isQueued, type Submit } from "./sorting.ts";
import { stateColumns } from "./state-columns.ts";
import type { Statement } from "./statement.ts";
import { inputColumn, updateColumns } from "./update-tasks.ts";

/*
 * What the statements for many tasks do, for one: without arrays, functions that unfold them and
 * tables of hashes, all of which take longer to set up than a single row to write (measured: a
 * third of such a commit).
 */

/** Submitted, and assigned at once. */
const eventsOfSubmit = 2;
/** An attempt is assigned, or ends. */
const eventsOfUpdate = 1;
/** What the task waited for is there, and it is assigned. */
const eventsOfBegin = 2;

const submitted = fewRowsOf(1, aloneColumns, 1);
const known = fewRowsOf(2, updateColumns, 1);
const unowned = fewRowsOf(1, [...updateColumns, inputColumn], 1);
const events = {
  ofSubmit: fewEventRows(submitted.next, eventsOfSubmit),
  ofUpdate: fewEventRows(known.next, eventsOfUpdate),
  ofBegin: fewEventRows(unowned.next, eventsOfBegin),
};

const submitting = (passage: Passage) => `
with ${passage.clauses} inserted as (
  insert into kantoku.tasks (${namesOf(aloneColumns)})${submitted.sql}
  where ${passage.isOpen}
  on conflict (key, namespace) where key is not null do nothing
  returning id
), journaled as (
  insert into kantoku.events (actor, seq, type, at, data)
  select * from (${events.ofSubmit.sql}
  ) as given
  where exists (select from inserted)
)
select case${passage.refusals}
  when not exists (select from inserted) then $1::text
end::uuid as id`;

interface Updating {
  readonly columns: readonly Column<TaskTurn>[];
  readonly given: Rows<TaskTurn>;
  readonly events: Rows<TaskTurn>;
  readonly mayWrite: string;
}

const updating = ({ given, events, ...its }: Updating, passage: Passage) => `
with ${passage.clauses} touched as (
  update kantoku.tasks as tasks
  set ${its.columns.map(assignment).join(",\n    ")}
  from (${given.sql}
  ) as given
  where tasks.id = given.id
    and tasks.seq = given.expected_seq
    and ${its.mayWrite}
    and ${passage.isOpen}
  returning 1
), journaled as (
  insert into kantoku.events (actor, seq, type, at, data)
  select * from (${events.sql}
  ) as given
  where ${passage.isOpen}
)
select case${passage.refusals}
  when not exists (select from touched) then
    kantoku.refuse('${ktStale}', 'the task stands elsewhere')::text
end`;

function assignment({ name }: Column<TaskTurn>): string {
  return name === "input"
    ? "input = coalesce(given.input, tasks.input)"
    : `${name} = given.${name}`;
}

/** By the task's seq and owner; see update-tasks.ts. */
const update: Updating = {
  columns: stateColumns,
  given: known,
  events: events.ofUpdate,
  mayWrite: "tasks.owner is not distinct from $1::uuid",
};
const begin: Updating = {
  columns: [...stateColumns, inputColumn],
  given: unowned,
  events: events.ofBegin,
  mayWrite: "tasks.owner is null",
};

export const singleTask = {
  submit: inTwoForms(events.ofSubmit.next, submitting),
  update: inTwoForms(events.ofUpdate.next, (passage) => updating(update, passage)),
  begin: { text: updating(begin, behindFence) },
} as const;

/** A submit that gets its slot at once; null where it is another, or more than one. */
export function submitStatement(submits: readonly Submit[]): Statement | null {
  if (!isSingle(submits, eventsOfSubmit) || submits.some(isTimed)) return null;
  const parameters = [...submitted.parameters(submits), ...events.ofSubmit.parameters(submits)];
  return { ...singleTask.submit, parameters, answers: "losers" };
}

export function updateStatement(node: string, updates: readonly TaskTurn[]): Statement | null {
  if (!isSingle(updates, eventsOfUpdate) || updates.some(leavesQueue)) return null;
  return { ...singleTask.update, parameters: [node, ...parametersOf(update, updates)] };
}

/** The task was nobody's, and waited for what ends in the same batch. */
export function beginStatement(begun: readonly TaskTurn[]): Statement | null {
  if (!isSingle(begun, eventsOfBegin)) return null;
  return { ...singleTask.begin, parameters: parametersOf(begin, begun) };
}

function parametersOf({ given, events }: Updating, turns: readonly TaskTurn[]): Parameter[] {
  return [...given.parameters(turns), ...events.parameters(turns)];
}

function isSingle(turns: readonly TaskTurn[], events: number): boolean {
  const [first] = turns;
  if (first === undefined || turns.length > 1) return false;
  return first.events.length === events && !isQueued(first);
}

function isTimed({ timersSet }: TaskTurn): boolean {
  return timersSet.length > 0;
}

function leavesQueue({ leavesQueue }: TaskTurn): boolean {
  return leavesQueue === true;
}
