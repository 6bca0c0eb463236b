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

const aloneColumns = [...identityColumns, ...stateColumns];
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
 * A task under another is inserted only where that one is: all of a graph goes with the key of its
 * root. A child that its parent's earlier attempt made is there already, and so is a new root
 * that somebody else has made first. What a new root does again has ended and stays so until then:
 * a restart in place waits for the lock, and sees the new root (`refuseRestarts`).
 */
const submittedInGraph = submittedInPlace(`(parent is null or (parent in (
    select id from kantoku.tasks where id = any ($${inGraph.next}::text::uuid[]) for key share
  )) is true)
    and (restart_of is null or (restart_of in (
      select id from kantoku.tasks
      where id = any ($${inGraph.next + 1}::text::uuid[]) and ended_at is not null
      for share
    )) is true)
  on conflict do nothing`);

/**
 * Under a task of the same batch no place can be taken, and to look for one costs a fifth. The seq
 * is for the planner: no index has it, so the one of the ids is the one to take.
 */
const submittedAsMembers = submittedInPlace(`(parent in (
    select id from kantoku.tasks where id = any ($${inGraph.next}::text::uuid[]) and seq > 0
  )) is true`);

const events = {
  alone: eventRows(alone.next),
  inGraph: eventRows(inGraph.next + 2),
  members: eventRows(inGraph.next + 1),
};
const timers = {
  alone: timerRows(events.alone.next),
  inGraph: timerRows(events.inGraph.next),
  members: timerRows(events.members.next),
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

const submittingInPlace = (submitted: string, of: "inGraph" | "members") => ({
  text: submitted + journaled(events[of]) + queued + timed(timers[of]) + losers(behindFence),
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
  inGraph: submittingInPlace(submittedInGraph, "inGraph"),
  members: submittingInPlace(submittedAsMembers, "members"),
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

export function insertGraphStatement(submits: readonly PlacedSubmit[]): Statement {
  const restarted = submits.flatMap(({ identity: { restart } }) => restart?.of ?? []);
  const parameters = [
    ...inGraph.parameters(submits),
    parentsOf(submits),
    plainArray(restarted),
    ...events.inGraph.parameters(submits),
    ...timers.inGraph.parameters(submits),
  ];
  return { ...insertTasks.inGraph, parameters, answers: "losers" };
}

/** Of tasks whose parents are of the same batch. */
export function insertMembersStatement(members: readonly PlacedSubmit[]): Statement {
  const parameters = [
    ...inGraph.parameters(members),
    parentsOf(members),
    ...events.members.parameters(members),
    ...timers.members.parameters(members),
  ];
  return { ...insertTasks.members, parameters, answers: "losers" };
}

function parentsOf(submits: readonly PlacedSubmit[]): string {
  return plainArray([...new Set(submits.flatMap(({ identity: { parent } }) => parent ?? []))]);
}

function namesOf(columns: readonly { readonly name: string }[]): string {
  return columns.map(({ name }) => name).join(", ");
}
