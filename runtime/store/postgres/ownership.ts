import { taskColumns } from "./rows.ts";

/**
 * Fragments of the statements that take ownership. They all begin with the node's own lease row,
 * locked as in a commit: a node that is being reaped takes nothing more.
 */

/** `$1` is the node. */
export const ownLease = `
own as (
  select incarnation from kantoku.nodes
  where incarnation = $1::uuid and expires_at > clock_timestamp()
  for key share
)`;

/**
 * An owner that has a lease row keeps its tasks, expired or not: until a reaper deletes the row, a
 * commit of that owner may still be on its way.
 */
export const mayTake = `(
  tasks.owner is null
  or tasks.owner = $1::uuid
  or not exists (select from kantoku.nodes where nodes.incarnation = tasks.owner)
)`;

/** Takes the tasks that `chosen (id)` names, all of which are locked, and leaves the queue. */
export const takeChosen = `
taken as (
  update kantoku.tasks as tasks set owner = $1::uuid
  from chosen where tasks.id = chosen.id
  returning ${taskColumns.of("tasks")}
), unqueued as (
  delete from kantoku.ready as ready
  using chosen where ready.id = chosen.id
)`;
