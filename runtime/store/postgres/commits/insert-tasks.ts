import { plainArray } from "../arrays.ts";
import { eventRows } from "./append-events.ts";
import { type Column, rowsOf } from "./columns.ts";
import { behindFence, inTwoForms, type Passage } from "./fence.ts";
import { isQueued, type PlacedSubmit, type Submit } from "./sorting.ts";
import { stateColumns } from "./state-columns.ts";
import type { Statement } from "./statement.ts";
import { timerRows } from "./timers.ts";

const identityColumns: readonly Column<Submit>[] = [
  { name: "id", type: "uuid", cell: ({ identity }) => identity.id },
  { name: "namespace", type: "text", cell: ({ identity }) => identity.namespace },
  { name: "definition", type: "text", cell: ({ identity }) => identity.definition },
  { name: "key", type: "text", cell: ({ identity }) => identity.key },
  { name: "priority", type: "int", cell: ({ identity }) => identity.priority },
  { name: "input", type: "json", cell: ({ identity }) => identity.input },
  { name: "labels", type: "jsonb", cell: ({ identity }) => identity.labels },
  { name: "metadata", type: "jsonb", cell: ({ identity }) => identity.metadata },
  {
    name: "root",
    type: "uuid",
    cell: ({ identity: { id, root } }) => (root === id ? null : root),
    absent: "sent.id",
  },
  { name: "parent", type: "uuid", cell: ({ identity }) => identity.parent },
  { name: "trace", type: "text", cell: ({ identity }) => identity.trace },
  { name: "created_at", type: "instant", cell: ({ identity }) => identity.createdAt },
];

const placeColumns: readonly Column<PlacedSubmit>[] = [
  { name: "dependents", type: "uuids", cell: ({ dependents }) => dependents },
  { name: "kind", type: "text", cell: ({ identity: { place } }) => place?.kind ?? "task" },
  { name: "name", type: "text", cell: ({ identity: { place } }) => place?.name ?? null },
  { name: "graph", type: "json", cell: ({ identity: { place } }) => place?.graph ?? null },
  { name: "depth", type: "int", cell: ({ identity: { place } }) => place?.depth ?? 0 },
  { name: "awaited", type: "bool", cell: ({ identity: { place } }) => place?.isAwaited ?? false },
  { name: "restart_of", type: "uuid", cell: ({ identity: { restart } }) => restart?.of ?? null },
  {
    name: "restart_root",
    type: "uuid",
    cell: ({ identity: { restart } }) => restart?.root ?? null,
  },
];

export const aloneColumns: readonly Column<Submit>[] = [...identityColumns, ...stateColumns];
const alone = rowsOf(1, aloneColumns);

/** Where a task stands alone, only its key can be another's. */
const submittedAlone = (passage: Passage) => `
with ${passage.clauses} inserted as (
  insert into kantoku.tasks (${namesOf(aloneColumns)})${alone.sql}
  where ${passage.isOpen}
  on conflict (key, namespace) where key is not null do nothing
  returning id, namespace, definition, version, priority, status, owner
)`;

const placedColumns: readonly Column<PlacedSubmit>[] = [...aloneColumns, ...placeColumns];
const inGraph = rowsOf(1, placedColumns);

const submittedInPlace = (condition: string) => `
with inserted as (
  insert into kantoku.tasks (${namesOf(placedColumns)})
  select * from (${inGraph.sql}
  ) as given
  where ${condition}
  returning id, namespace, definition, version, priority, status, owner
)`;

/**
 * A new root may have been made first by somebody else. What it does again has ended and stays so
 * until then: a restart in place waits for the lock, and sees the new root (`refuseRestarts`).
 */
const submittedAsRoots = submittedInPlace(`restart_of is null or (restart_of in (
    select id from kantoku.tasks
    where id = any ($${inGraph.next}::text::uuid[]) and ended_at is not null
    for share
  )) is true
  on conflict do nothing`);

/**
 * A child may be there already, made by its parent's earlier attempt. A parent that is not running
 * has no more of them, and stays as it is until then: the turn that ends it waits for the lock,
 * and what it has to tell the children it tells this one, too. Behind the updates of a batch, two of
 * which could hold each other's parents, nobody waits for a parent that is about to change: its
 * child loses, and whoever makes it looks again. "is not distinct from", because of all that
 * runs there is an index.
 */
const submittedAsChildren = submittedInPlace(`(parent in (
    select id from kantoku.tasks
    where id = any ($${inGraph.next}::text::uuid[]) and status is not distinct from 'running'
    for share skip locked
  )) is true
  on conflict do nothing`);

/**
 * All of a graph goes with its root: under a task of the same batch no place can be taken, and to
 * look for one costs a fifth. The seq is for the planner: no index has it, so the one of the ids is
 * the one to take.
 */
const submittedAsMembers = submittedInPlace(`(parent in (
    select id from kantoku.tasks where id = any ($${inGraph.next}::text::uuid[]) and seq > 0
  )) is true`);

const events = { alone: eventRows(alone.next), inGraph: eventRows(inGraph.next + 1) };
const timers = {
  alone: timerRows(events.alone.next),
  inGraph: timerRows(events.inGraph.next),
};

/** Left out where nothing would be queued or timed: what is planned is also started and ended. */
const queued = `, queued as (
  insert into kantoku.ready (id, namespace, definition, version, priority)
  select id, namespace, definition, version, priority from inserted
  where status = 'ready' and owner is null
)`;

/**
 * Events and timers follow only the tasks that were really inserted.
 *
 * "(x in (…)) is true" keeps the planner from making a join of it, for which nested loops, the
 * only kind allowed here, would compare every event with every task; as it stands it is hashed.
 */
const journaled = ({ sql }: { readonly sql: string }) => `, journaled as (
  insert into kantoku.events (actor, seq, type, at, data)
  select * from (${sql}
  ) as given
  where (actor in (select id from inserted)) is true
)`;

const timed = ({ sql }: { readonly sql: string }) => `, timed as (
  insert into kantoku.timers (actor, kind, due_at)
  select * from (${sql}
  ) as given
  where (actor in (select id from inserted)) is true
)`;

const losers = ({ refusals }: Passage) => `
select id from unnest($1::text::uuid[]) as given (id)
where (id in (select id from inserted)) is not true${
  refusals &&
  `
union all
select case${refusals} end::text::uuid`
}`;

/** Submits of tasks that stand alone, with what else they write. */
const submitting = (next: number, rest: string) =>
  inTwoForms(
    next,
    (passage) => submittedAlone(passage) + journaled(events.alone) + rest + losers(passage),
  );

const submittingInPlace = (submitted: string) => ({
  text:
    submitted + journaled(events.inGraph) + queued + timed(timers.inGraph) + losers(behindFence),
});

/**
 * Submits of a batch, in the order of their keys: two batches that hold the same keys in opposite
 * orders would wait for each other. Answers with the losers.
 */
export const insertTasks = {
  plain: submitting(events.alone.next, ""),
  queued: submitting(events.alone.next, queued),
  timed: submitting(timers.alone.next, timed(timers.alone)),
  queuedAndTimed: submitting(timers.alone.next, queued + timed(timers.alone)),
  roots: submittingInPlace(submittedAsRoots),
  children: submittingInPlace(submittedAsChildren),
  members: submittingInPlace(submittedAsMembers),
} as const;

export function insertTasksStatement(submits: readonly Submit[]): Statement {
  const isTimed = submits.some(({ timersSet }) => timersSet.length > 0);
  const parameters = [...alone.parameters(submits), ...events.alone.parameters(submits)];
  if (!isTimed) {
    const forms = submits.some(isQueued) ? insertTasks.queued : insertTasks.plain;
    return { ...forms, parameters, answers: "losers" };
  }
  return {
    ...(submits.some(isQueued) ? insertTasks.queuedAndTimed : insertTasks.timed),
    parameters: [...parameters, ...timers.alone.parameters(submits)],
    answers: "losers",
  };
}

export function insertRootsStatement(roots: readonly PlacedSubmit[]): Statement {
  const restarted = roots.flatMap(({ identity: { restart } }) => restart?.of ?? []);
  return inPlaceStatement(insertTasks.roots, roots, restarted);
}

export function insertChildrenStatement(children: readonly PlacedSubmit[]): Statement {
  return inPlaceStatement(insertTasks.children, children, parentsOf(children));
}

/** Of tasks whose parents are of the same batch. */
export function insertMembersStatement(members: readonly PlacedSubmit[]): Statement {
  return inPlaceStatement(insertTasks.members, members, parentsOf(members));
}

/** @param known the tasks that have to be there for these to be inserted */
function inPlaceStatement(
  form: { readonly text: string },
  submits: readonly PlacedSubmit[],
  known: readonly string[],
): Statement {
  const parameters = [
    ...inGraph.parameters(submits),
    plainArray(known),
    ...events.inGraph.parameters(submits),
    ...timers.inGraph.parameters(submits),
  ];
  return { ...form, parameters, answers: "losers" };
}

function parentsOf(submits: readonly PlacedSubmit[]): readonly string[] {
  return [...new Set(submits.flatMap(({ identity: { parent } }) => parent ?? []))];
}

export function namesOf(columns: readonly { readonly name: string }[]): string {
  return columns.map(({ name }) => name).join(", ");
}
