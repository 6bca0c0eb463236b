import type { TaskTurn } from "../../turns.ts";
import type { Parameter } from "../line.ts";
import { eventRows } from "./append-events.ts";
import { type Column, type Rows, rowsOf } from "./columns.ts";
import { behindFence, inTwoForms, type Passage } from "./fence.ts";
import { refusedUnlessAll } from "./refused.ts";
import { isQueued } from "./sorting.ts";
import { stateColumns } from "./state-columns.ts";
import type { Statement } from "./statement.ts";

export const updateColumns: readonly Column<TaskTurn>[] = [
  { name: "id", type: "uuid", cell: ({ id }) => id },
  { name: "expected_seq", type: "int", cell: ({ expectedSeq }) => expectedSeq },
  ...stateColumns,
];
export const inputColumn: Column<TaskTurn> = {
  name: "input",
  type: "json",
  cell: ({ links }) => links?.input ?? null,
};

const leavesColumn: Column<TaskTurn> = {
  name: "leaves_queue",
  type: "bool",
  cell: ({ leavesQueue }) => leavesQueue === true,
};

const known = rowsOf(2, updateColumns);
const queuedOrKnown = rowsOf(2, [...updateColumns, leavesColumn]);
const unowned = rowsOf(1, [...updateColumns, inputColumn]);

interface Variant {
  readonly given: Rows<TaskTurn>;
  readonly events: Rows<TaskTurn>;
  readonly set: readonly string[];
  readonly mayWrite: string;
}

/**
 * Turns of known tasks, with their events. Raises unless each of them stood at its expected seq and
 * was this node's.
 *
 * "is not distinct from" where "=" would do, because no index can serve it: all that this node
 * owns is no way to a task.
 */
const updating = ({ given, events, set, mayWrite }: Variant, passage: Passage) => `
with ${passage.clauses} given as (${given.sql}
  where ${passage.isOpen}
), touched as (
  update kantoku.tasks as tasks
  set ${set.join(",\n    ")}
  from given
  where tasks.id = any (${given.key})
    and tasks.id = given.id
    and tasks.seq = given.expected_seq
    and ${mayWrite}
  returning tasks.id, tasks.namespace, tasks.definition, tasks.version, tasks.priority,
    tasks.status, tasks.owner
), journaled as (
  insert into kantoku.events (actor, seq, type, at, data)${events.sql}
  where ${passage.isOpen}
)`;

const queued = `, queued as (
  insert into kantoku.ready (id, namespace, definition, version, priority)
  select id, namespace, definition, version, priority from touched
  where status = 'ready' and owner is null
  on conflict (id) do nothing
)`;

const judged = ({ next }: Rows<TaskTurn>, passage: Passage) =>
  refusedUnlessAll({
    among: "touched",
    count: `$${next}`,
    otherwise: "tasks stand elsewhere",
    passage,
  });

const fromGiven = stateColumns.map(({ name }) => `${name} = given.${name}`);
const update: Variant = {
  given: known,
  events: eventRows(known.next + 1),
  set: fromGiven,
  mayWrite: "tasks.owner is not distinct from $1::uuid",
};
/** Some of these may be nobody's, too: they stand in the queue, and leave it. */
const take: Variant = {
  given: queuedOrKnown,
  events: eventRows(queuedOrKnown.next + 1),
  set: fromGiven,
  mayWrite: `(tasks.owner is not distinct from $1::uuid
      or (given.leaves_queue and tasks.owner is null and tasks.status = 'ready'))`,
};
const unqueued = `, unqueued as (
  delete from kantoku.ready where id = any (array(select id from given where leaves_queue))
)`;
/** Tasks that waited unowned for what ends in the same batch; with it comes their input. */
const begin: Variant = {
  given: unowned,
  events: eventRows(unowned.next + 1),
  set: [...fromGiven, "input = coalesce(given.input, tasks.input)"],
  mayWrite: "tasks.owner is null",
};

export const updateTasks = {
  plain: inTwoForms(
    update.events.next,
    (passage) => updating(update, passage) + judged(known, passage),
  ),
  queued: inTwoForms(
    update.events.next,
    (passage) => updating(update, passage) + queued + judged(known, passage),
  ),
  taking: inTwoForms(
    take.events.next,
    (passage) => updating(take, passage) + queued + unqueued + judged(queuedOrKnown, passage),
  ),
  foretold: { text: updating(begin, behindFence) + queued + judged(unowned, behindFence) },
} as const;

export function updateTasksStatement(node: string, updates: readonly TaskTurn[]): Statement {
  if (updates.some(({ leavesQueue }) => leavesQueue === true)) {
    const parameters = [node, ...parametersOf(take, updates)];
    return { ...updateTasks.taking, parameters };
  }
  const parameters = [node, ...parametersOf(update, updates)];
  const forms = updates.some(isQueued) ? updateTasks.queued : updateTasks.plain;
  return { ...forms, parameters };
}

export function updateForetoldStatement(updates: readonly TaskTurn[]): Statement {
  return { ...updateTasks.foretold, parameters: parametersOf(begin, updates) };
}

function parametersOf({ given, events }: Variant, updates: readonly TaskTurn[]): Parameter[] {
  return [...given.parameters(updates), updates.length, ...events.parameters(updates)];
}
