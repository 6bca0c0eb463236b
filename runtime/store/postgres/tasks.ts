import type { TaskQuery, TaskStore } from "../store.ts";
import { plainArray } from "./arrays.ts";
import { partOf } from "./bounded-part.ts";
import type { Connections } from "./connections.ts";
import { listPartStatement, listStatement } from "./list-tasks.ts";
import { lockedTask, mayTake, ownLease, tail, takeChosen, takenBy } from "./ownership.ts";
import { endingOf, idOf, isId, taskColumns, taskOf } from "./rows.ts";
import { createTransactions } from "./transactions.ts";

const holdsSlot = "tasks.status in ('running', 'cancelling')";

const mayAcquire = `(${mayTake} or tasks.worker = $3::uuid and ${holdsSlot})`;
const runsOnWorker = `tasks.worker = $2::uuid and ${holdsSlot}`;

/** Locked in the order of ids, as commits do: two nodes that acquire alike never wait in a circle. */
export const acquire = `
with ${ownLease}, chosen as (
  select ${taskColumns.of("task")}
  from own
  cross join (select distinct id from unnest($2::text::uuid[]) as given (id) order by id) as given
  cross join lateral ${lockedTask("given.id", { where: mayAcquire, whenTaken: "wait" })} as task
), ${takeChosen}
select ${taskColumns.bare}, ${tail} from chosen`;

/**
 * What entered the queue while `acquire` waited for the task is not in that statement's snapshot,
 * and would stand at its head for ever.
 */
const leaveQueue = `
delete from kantoku.ready as ready
where id = any ($1::text::uuid[]) and (
  select tasks.status = 'ready' and tasks.owner is null
  from kantoku.tasks as tasks where tasks.id = ready.id
) is not true`;

export const acquireOfWorker = `
with ${ownLease}, held as materialized (
  select tasks.id from kantoku.tasks as tasks where ${runsOnWorker}
), chosen as (
  select ${taskColumns.of("task")}
  from own
  cross join (select id from held order by id) as held
  cross join lateral ${lockedTask("held.id", { where: runsOnWorker, whenTaken: "wait" })} as task
), ${takeChosen}
select ${taskColumns.bare}, ${tail} from chosen`;

const runningOn = `
select id, worker from kantoku.tasks as tasks
where worker = any ($1::text::uuid[]) and ${holdsSlot}`;

export const release = `
with released as (
  update kantoku.tasks set owner = null
  where id = any ($2::text::uuid[]) and owner is not distinct from $1::uuid
  returning id, namespace, definition, version, priority, status
)
insert into kantoku.ready (id, namespace, definition, version, priority)
select id, namespace, definition, version, priority from released where status = 'ready'
on conflict (id) do nothing`;

export const read = `
select ${taskColumns.bare} from kantoku.tasks where id = $1::uuid and namespace = $2::text`;

export const readByKey = `
select ${taskColumns.bare} from kantoku.tasks where namespace = $1::text and key = $2::text`;

export const readRestart = `
select ${taskColumns.bare} from kantoku.tasks where restart_of = $1::uuid`;

export const readMany = `
select ${taskColumns.bare} from kantoku.tasks where id = any ($1::text::uuid[])`;

/** Of all that somebody waits for, asked again and again: most of it has not ended. */
export const endings = `
select id, status, output, error from kantoku.tasks
where id = any ($1::text::uuid[]) and (ended_at is not null or status = 'quarantined')`;

const saveProgress = "update kantoku.tasks set progress = $2::text::json where id = $1::uuid";

/** Roots that ended before, with all that is under them, unless something of that still moves. */
const deleteEnded = `
with trees as (
  select roots.id from kantoku.tasks as roots
  where roots.root = roots.id and roots.ended_at < kantoku.instant($1::float8)
    and (exists (
      select from kantoku.tasks as under
      where under.root = roots.id and under.root <> under.id and under.ended_at is null
    )) is not true
  order by roots.ended_at
  limit $2::int
  for update skip locked
), doomed as (
  select id from trees
  union all
  select id from kantoku.tasks where root = any (array(select id from trees)) and root <> id
), events as (
  delete from kantoku.events where actor = any (array(select id from doomed))
), timers as (
  delete from kantoku.timers where actor = any (array(select id from doomed))
), letters as (
  delete from kantoku.mail where actor = any (array(select id from doomed))
), watches as (
  delete from kantoku.watches where task = any (array(select id from doomed))
), gates as (
  delete from kantoku.gates where task = any (array(select id from doomed))
), tasks as (
  delete from kantoku.tasks where id = any (array(select id from doomed))
)
select count(*) as roots from trees`;

export function createTaskStore({ acquires, readers, desk, retention }: Connections): TaskStore {
  const transaction = createTransactions(acquires);
  return {
    async acquire(node, ids, worker) {
      const known = ids.filter(isId);
      if (known.length === 0) return [];
      return transaction(async (line) => {
        const rows = await line.send(acquire, [node, plainArray(known), worker ?? null]);
        const queued = rows.filter((row) => row["status"] === "ready").map(idOf);
        if (queued.length > 0) await line.send(leaveQueue, [plainArray(queued)]);
        return takenBy(node, rows, line);
      });
    },

    async acquireOfWorker(node, worker) {
      return transaction(async (line) =>
        takenBy(node, await line.send(acquireOfWorker, [node, worker]), line),
      );
    },

    async runningOn(workers) {
      if (workers.length === 0) return [];
      const rows = await readers.ask(runningOn, [plainArray(workers)]);
      return rows.map((row) => ({ id: idOf(row), worker: String(row["worker"]) }));
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

    async readRestart(of) {
      const [row] = await readers.ask(readRestart, [of]);
      return row === undefined ? null : taskOf(row);
    },

    async readMany(ids) {
      const known = ids.filter(isId);
      if (known.length === 0) return [];
      return (await readers.ask(readMany, [plainArray(known)])).map(taskOf);
    },

    async endings(ids) {
      const known = ids.filter(isId);
      if (known.length === 0) return [];
      return (await readers.ask(endings, [plainArray(known)])).map(endingOf);
    },

    async list(query) {
      if (!mayMatch(query)) return [];
      const { text, parameters } = listStatement(query);
      return (await readers.ask(text, parameters)).map(taskOf);
    },

    async listPart(query, bytesMax) {
      if (!mayMatch(query)) return { rows: [], isCut: false };
      const { text, parameters } = listPartStatement(query, bytesMax);
      return partOf(await readers.ask(text, parameters), taskOf);
    },

    async saveProgress(id, progress) {
      if (isId(id)) await desk.ask(saveProgress, [id, progress]);
    },

    async deleteEnded(endedBefore, limit) {
      const [row] = await retention.ask(deleteEnded, [endedBefore, limit]);
      return Number(row?.["roots"]);
    },
  };
}

function mayMatch({ root, restartRoot }: TaskQuery): boolean {
  return [root, restartRoot].every((id) => id === undefined || isId(id));
}
