import type { NodeRow, NodeStore } from "../store.ts";
import type { Connections } from "./connections.ts";
import type { Row } from "./line.ts";

const enlist = `
insert into kantoku.nodes as nodes (incarnation, host, pid, process_start, expires_at)
values (
  $1::uuid, $2::text, $3::int, $4::text,
  clock_timestamp() + $5::float8 * interval '1 millisecond'
)
on conflict (incarnation) do update set expires_at = excluded.expires_at
returning clock_timestamp() as now`;

const renew = `
update kantoku.nodes
set expires_at = clock_timestamp() + $2::float8 * interval '1 millisecond'
where incarnation = $1::uuid
returning clock_timestamp() as now`;

const countLive = "select count(*) as live from kantoku.nodes where expires_at > clock_timestamp()";

const list = "select incarnation, host, pid, process_start, expires_at from kantoku.nodes";

const expired = "select incarnation from kantoku.nodes where expires_at <= clock_timestamp()";

/** Waits for the commits that hold the row for key share: after this, none of them is under way. */
const remove = "delete from kantoku.nodes where incarnation = $1::uuid";

/** Own statements, for their snapshot is to see what the delete has waited for. */
const removeBatches = "delete from kantoku.batches where node = $1::uuid";
const removeWatches = "delete from kantoku.watches where node = $1::uuid";

/**
 * A statement of its own too: as one with the delete it left 100 of 100 freshly committed tasks
 * with their deleted owner. Reads the index of what is alive, whole: some 100 ms for 100,000.
 */
export const free = `
with orphans as (
  select id from kantoku.tasks
  where owner is not null and owner <> all (array(select incarnation from kantoku.nodes))
  limit $1::int
  for no key update skip locked
), freed as (
  update kantoku.tasks set owner = null
  where id = any (array(select id from orphans))
  returning id, namespace, definition, version, priority, status
), queued as (
  insert into kantoku.ready (id, namespace, definition, version, priority)
  select id, namespace, definition, version, priority from freed where status = 'ready'
  on conflict (id) do nothing
)
select count(*) as freed from freed`;

export function createNodeStore({ leases, desk }: Connections): NodeStore {
  return {
    async enlist({ incarnation, host, pid, processStart }, leaseMs) {
      const parameters = [incarnation, host, pid, processStart, leaseMs];
      const [row] = await leases.ask(enlist, parameters);
      return { now: Number(row?.["now"]) };
    },

    async renew(incarnation, leaseMs) {
      const [renewed, counted] = await Promise.all([
        leases.ask(renew, [incarnation, leaseMs]),
        leases.ask(countLive),
      ]);
      const [row] = renewed;
      if (row === undefined) return null;
      return { now: Number(row["now"]), nodes: Number(counted[0]?.["live"]) };
    },

    async list() {
      return (await desk.ask(list)).map(nodeOf);
    },

    async expired() {
      return (await desk.ask(expired)).map((row) => String(row["incarnation"]));
    },

    async remove(incarnation) {
      await desk.ask(remove, [incarnation]);
      await desk.ask(removeBatches, [incarnation]);
      await desk.ask(removeWatches, [incarnation]);
    },

    async free(limit) {
      const [row] = await desk.ask(free, [limit]);
      return Number(row?.["freed"]);
    },
  };
}

function nodeOf(row: Row): NodeRow {
  return {
    incarnation: row["incarnation"],
    host: row["host"],
    pid: row["pid"],
    processStart: row["process_start"],
    expiresAt: row["expires_at"],
  } as NodeRow;
}
