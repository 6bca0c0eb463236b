import type { WorkerStore } from "../store.ts";
import { plainArray } from "./arrays.ts";
import { boundedPart, partOf } from "./bounded-part.ts";
import type { Connections } from "./connections.ts";
import { idOf, isId, workerColumns, workerOf } from "./rows.ts";

const read = `select ${workerColumns.bare} from kantoku.workers where id = $1::uuid`;

const readByName = `
select ${workerColumns.bare} from kantoku.workers where namespace = $1::text and name = $2::text`;

const list = `select ${workerColumns.bare} from kantoku.workers where namespace = $1::text order by id`;

const listPart = boundedPart({
  text: `
select ${workerColumns.bare} from kantoku.workers
where namespace = $1::text and ($2::uuid is null or id > $2::uuid)
order by id limit $3::int`,
  columns: workerColumns.bare,
  large: ["definitions", "labels", "snapshot"],
  order: "id",
  bytesMax: "$4::bigint",
});

const renew = `
update kantoku.workers
set expires_at = clock_timestamp() + $3::float8 * interval '1 millisecond'
where id = any ($2::text::uuid[]) and node = $1::uuid and status in ('serving', 'draining')
returning id`;

const expired = `
select ${workerColumns.bare} from kantoku.workers
where status in ('serving', 'draining') and expires_at <= clock_timestamp()
order by id limit $1::int`;

const ofInstance = `
select ${workerColumns.bare} from kantoku.workers
where status in ('serving', 'draining') and instance = $1::text`;

/** From the tasks: they are few, and workers that ended long ago may be many. */
const stranding = `
select ${workerColumns.bare} from kantoku.workers
where status in ('gone', 'lost') and id = any (array(
  select worker from kantoku.tasks where status in ('running', 'cancelling') group by worker
))
order by id limit $1::int`;

const runningCounts = `
select worker, count(*) as running from kantoku.tasks
where worker = any ($1::text::uuid[]) and status in ('running', 'cancelling')
group by worker`;

/** A row keeps no end of its own; the lease of its last turn ran out soon after it. */
const deleteEnded = `
with doomed as (
  select id from kantoku.workers
  where status in ('gone', 'lost') and expires_at < kantoku.instant($1::float8)
  order by id limit $2::int
  for update skip locked
), events as (
  delete from kantoku.events where actor = any (array(select id from doomed))
)
delete from kantoku.workers where id = any (array(select id from doomed))`;

export function createWorkerStore({ leases, readers, retention }: Connections): WorkerStore {
  return {
    async read(id) {
      if (!isId(id)) return null;
      const [row] = await readers.ask(read, [id]);
      return row === undefined ? null : workerOf(row);
    },

    async readByName(namespace, name) {
      const [row] = await readers.ask(readByName, [namespace, name]);
      return row === undefined ? null : workerOf(row);
    },

    async list(namespace) {
      return (await readers.ask(list, [namespace])).map(workerOf);
    },

    async listPart(namespace, { beyond, limit, bytesMax }) {
      const parameters = [namespace, beyond ?? null, limit, bytesMax];
      return partOf(await readers.ask(listPart, parameters), workerOf);
    },

    async renew(node, ids, leaseMs) {
      if (ids.length === 0) return [];
      return (await leases.ask(renew, [node, plainArray(ids), leaseMs])).map(idOf);
    },

    async expired(limit) {
      return (await readers.ask(expired, [limit])).map(workerOf);
    },

    async ofInstance(instance) {
      return (await readers.ask(ofInstance, [instance])).map(workerOf);
    },

    async stranding(limit) {
      return (await readers.ask(stranding, [limit])).map(workerOf);
    },

    async runningCounts(ids) {
      const known = ids.filter(isId);
      if (known.length === 0) return new Map();
      const rows = await readers.ask(runningCounts, [plainArray(known)]);
      return new Map(rows.map((row) => [String(row["worker"]), Number(row["running"])]));
    },

    async deleteEnded(endedBefore, limit) {
      return (await retention.ask(deleteEnded, [endedBefore, limit])).count;
    },
  };
}
