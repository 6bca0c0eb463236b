import type { TaskQuery, TaskStore } from "../store.ts";
import { plainArray, textArray } from "./arrays.ts";
import type { Connections } from "./connections.ts";
import type { Parameter } from "./line.ts";
import { mayTake, ownLease, takeChosen } from "./ownership.ts";
import { isId, taskColumns, taskOf } from "./rows.ts";

const holdsSlot = "tasks.status in ('running', 'cancelling')";

/** Locked in the order of ids, as commits do: two nodes that acquire alike never wait in a circle. */
export const acquire = `
with ${ownLease}, chosen as (
  select tasks.id
  from own
  cross join (select distinct id from unnest($2::text::uuid[]) as given (id) order by id) as given
  join kantoku.tasks as tasks on tasks.id = given.id
  where ${mayTake} or (tasks.worker = $3::uuid and ${holdsSlot})
  for no key update of tasks
), ${takeChosen}
select ${taskColumns.bare} from taken`;

export const acquireOfWorker = `
with ${ownLease}, chosen as (
  select tasks.id
  from own cross join kantoku.tasks as tasks
  where tasks.worker = $2::uuid and ${holdsSlot}
  order by tasks.id
  for no key update of tasks
), ${takeChosen}
select ${taskColumns.bare} from taken`;

export const release = `
with released as (
  update kantoku.tasks as tasks set owner = null
  from unnest($2::text::uuid[]) as given (id)
  where tasks.id = given.id and tasks.owner = $1::uuid
  returning tasks.id, tasks.namespace, tasks.definition, tasks.version, tasks.priority, tasks.status
)
insert into kantoku.ready (id, namespace, definition, version, priority)
select id, namespace, definition, version, priority from released where status = 'ready'
on conflict (id) do nothing`;

export const read = `
select ${taskColumns.bare} from kantoku.tasks where id = $1::uuid and namespace = $2::text`;

export const readByKey = `
select ${taskColumns.bare} from kantoku.tasks where namespace = $1::text and key = $2::text`;

export const readMany = `
select ${taskColumns.bare} from kantoku.tasks where id = any ($1::text::uuid[])`;

const saveProgress = "update kantoku.tasks set progress = $2::text::json where id = $1::uuid";

/**
 * Roots that ended long ago, with all that is under them, unless something of that still moves.
 * Ids are in order of time, and what ended before an instant was made before it.
 */
export const deleteEnded = `
with trees as (
  select roots.id from kantoku.tasks as roots
  where roots.root = roots.id and roots.ended_at < kantoku.instant($1::float8)
    and not exists (
      select from kantoku.tasks as under
      where under.root = roots.id and under.root <> under.id and under.ended_at is null
    )
  order by roots.id
  limit $2::int
  for update skip locked
), doomed as (
  select id from trees
  union all
  select under.id from trees join kantoku.tasks as under
    on under.root = trees.id and under.root <> under.id
), events as (
  delete from kantoku.events as events using doomed where events.actor = doomed.id
), timers as (
  delete from kantoku.timers as timers using doomed where timers.actor = doomed.id
), letters as (
  delete from kantoku.mail as mail using doomed where mail.actor = doomed.id
), watches as (
  delete from kantoku.watches as watches using doomed where watches.task = doomed.id
), tasks as (
  delete from kantoku.tasks as tasks using doomed where tasks.id = doomed.id
)
select count(*) as roots from trees`;

export function createTaskStore({ takings, readers, desk }: Connections): TaskStore {
  return {
    async acquire(node, ids, worker) {
      const known = ids.filter(isId);
      if (known.length === 0) return [];
      const rows = await takings.ask(acquire, [node, plainArray(known), worker ?? null]);
      return rows.map(taskOf);
    },

    async acquireOfWorker(node, worker) {
      return (await takings.ask(acquireOfWorker, [node, worker])).map(taskOf);
    },

    async release(node, ids) {
      if (ids.length > 0) await desk.ask(release, [node, plainArray(ids)]);
    },

    async read(namespace, id) {
      if (!isId(id)) return null;
      const [row] = await readers.ask(read, [id, namespace]);
      return row === undefined ? null : taskOf(row);
    },

    async readByKey(namespace, key) {
      const [row] = await readers.ask(readByKey, [namespace, key]);
      return row === undefined ? null : taskOf(row);
    },

    async readMany(ids) {
      const known = ids.filter(isId);
      if (known.length === 0) return [];
      return (await readers.ask(readMany, [plainArray(known)])).map(taskOf);
    },

    async list(query) {
      if (query.root !== undefined && !isId(query.root)) return [];
      const { text, parameters } = listStatement(query);
      return (await readers.ask(text, parameters)).map(taskOf);
    },

    async saveProgress(id, progress) {
      if (isId(id)) await desk.ask(saveProgress, [id, progress]);
    },

    async deleteEnded(endedBefore, limit) {
      const [row] = await desk.ask(deleteEnded, [endedBefore, limit]);
      return Number(row?.["roots"]);
    },
  };
}

/** One text for each set of filters, so that each gets plans of its own. */
export function listStatement(query: TaskQuery): { text: string; parameters: Parameter[] } {
  const parameters: Parameter[] = [];
  const conditions: string[] = [];
  function where(condition: (parameter: string) => string, value: Parameter): void {
    conditions.push(condition(`$${parameters.push(value)}`));
  }

  where((it) => `namespace = ${it}::text`, query.namespace);
  const { status, definition, labels, createdAfter, createdBefore, root, beyond } = query;
  if (status?.length === 1) where((it) => `status = ${it}::text`, status[0] ?? null);
  else if (status !== undefined) where((it) => `status = any (${it}::text::text[])`, textArray(status));
  if (definition !== undefined) where((it) => `definition = ${it}::text`, definition);
  if (labels !== undefined) where((it) => `labels @> ${it}::text::jsonb`, JSON.stringify(labels));
  if (createdAfter !== undefined) where((it) => `created_at > kantoku.instant(${it}::float8)`, createdAfter);
  if (createdBefore !== undefined) where((it) => `created_at < kantoku.instant(${it}::float8)`, createdBefore);
  if (root !== undefined) where((it) => `(id = ${it}::uuid or root = ${it}::uuid and root <> id)`, root);
  const isAscending = query.order === "ascending";
  if (beyond !== undefined) where((it) => `id ${isAscending ? ">" : "<"} ${it}::uuid`, beyond);
  const text = `
select ${taskColumns.bare} from kantoku.tasks
where ${conditions.join(" and ")}
order by id ${isAscending ? "asc" : "desc"}
limit $${parameters.push(query.limit)}::int`;
  return { text, parameters };
}
