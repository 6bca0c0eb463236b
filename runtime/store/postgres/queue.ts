import type { Head, QueueStore } from "../store.ts";
import { textArray } from "./arrays.ts";
import type { Connections } from "./connections.ts";
import type { Parameter } from "./line.ts";
import { lockedTask, ownLease, takeChosen, takenBy } from "./ownership.ts";
import { taskColumns } from "./rows.ts";
import { createTransactions } from "./transactions.ts";

const isClaimable = "tasks.status = 'ready' and tasks.owner is null";

/**
 * What is found dead in the queue is swept out: a task and its place there are written together, so
 * that where they differ within one snapshot, the place was left behind (see `leaveQueue`).
 *
 * The heads are read one by one, each in the order of the index, and merged: what waits at other
 * heads is never looked at, be it a million rows. Others that claim meanwhile skip what is locked.
 */
export const claim = `
with ${ownLease}, best as (
  select candidate.id
  from own
  cross join unnest($2::text::text[], $3::text::text[], $4::text::text[])
    as head (namespace, definition, version)
  cross join lateral (
    select ready.id, ready.priority from kantoku.ready as ready
    where ready.namespace = head.namespace
      and ready.definition = head.definition
      and ready.version = head.version
    order by ready.priority, ready.id
    limit $5::int
    for update skip locked
  ) as candidate
  order by candidate.priority, candidate.id
  limit $5::int
), chosen as (
  select ${taskColumns.of("task")}
  from best
  cross join lateral ${lockedTask("best.id", { where: isClaimable, whenTaken: "skip" })} as task
), ${takeChosen}, swept as (
  delete from kantoku.ready as ready
  where id = any (array(select id from best)) and (
    select ${isClaimable} from kantoku.tasks as tasks where tasks.id = ready.id
  ) is not true
)
select ${taskColumns.bare} from chosen order by priority, id`;

export const depth = `
select count(*) as depth from (
  select from kantoku.ready
  where namespace = $1::text and definition = $2::text and version = $3::text
  limit $4::int
) as counted`;

export function createQueueStore({ claims, desk }: Connections): QueueStore {
  const transaction = createTransactions(claims);
  return {
    claim: (node, heads, limit) =>
      transaction(async (line) => {
        const rows = await line.send(claim, claimParameters({ node, heads, limit }));
        return takenBy(node, rows, line);
      }),

    async depth({ namespace, definition, version }, cap) {
      const [row] = await desk.ask(depth, [namespace, definition, version, cap]);
      return Number(row?.["depth"]);
    },
  };
}

interface Claim {
  readonly node: string;
  readonly heads: readonly Head[];
  readonly limit: number;
}

function claimParameters({ node, heads, limit }: Claim): Parameter[] {
  const distinct = [...new Map(heads.map((head) => [headKey(head), head])).values()];
  return [
    node,
    textArray(distinct.map(({ namespace }) => namespace)),
    textArray(distinct.map(({ definition }) => definition)),
    textArray(distinct.map(({ version }) => version)),
    limit,
  ];
}

function headKey({ namespace, definition, version }: Head): string {
  return JSON.stringify([namespace, definition, version]);
}
