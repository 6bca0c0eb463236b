import type { EventRow, JsonText, TaskRow } from "../rows.ts";
import { plainArray } from "./arrays.ts";
import type { Line, Row } from "./line.ts";
import { idOf, taskColumns, taskOf } from "./rows.ts";

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

interface Locking {
  readonly where: string;
  /** What to do about a task that another transaction is at. */
  readonly whenTaken: "wait" | "skip";
}

/**
 * The task of an id, locked, if the condition allows. A subquery that locks is never merged with
 * what is around it, so that the planner has to look each task up by its id.
 */
export function lockedTask(id: string, { where, whenTaken }: Locking): string {
  return `(
    select ${taskColumns.of("tasks")} from kantoku.tasks as tasks
    where tasks.id = ${id} and ${where}
    for no key update${whenTaken === "skip" ? " skip locked" : ""}
  )`;
}

/**
 * Takes the tasks of `chosen`, which are locked, and leaves the queue. Their columns are read from
 * `chosen`: a lock sees the row as it was committed last, a plain select as the statement began.
 */
export const takeChosen = `
taken as (
  update kantoku.tasks set owner = $1::uuid
  where id = any (array(select id from chosen where owner is distinct from $1::uuid))
), unqueued as (
  delete from kantoku.ready where id = any (array(select id from chosen))
)`;

/** The tail of each row of `chosen`: the steps that its row does not know of, or all of its journal. */
export const tail = `(
  select json_agg(json_build_object(
    'seq', seq,
    'type', type,
    'at', (extract(epoch from at) * 1000)::float8,
    'data', case when type = 'step.recorded' then json_build_object(
      'token', data -> 'token', 'step', data -> 'step', 'occurrence', data -> 'occurrence'
    ) else data end
  ) order by seq)
  from kantoku.events as events
  where events.actor = chosen.id
    and events.seq > case when chosen.snapshot is null then 0 else chosen.seq end
) as tail`;

/** The seq is for the planner: no index has it, so the one of the ids is the one to take. */
export const tails = `
with chosen as (
  select id, seq, snapshot from kantoku.tasks where id = any ($1::text::uuid[]) and seq > 0
)
select id, ${tail} from chosen`;

/**
 * The rows of `chosen`, as they are now. A row that was committed while the statement waited for it
 * is newer than the journal as the statement sees it: where that is all there is, it is read again.
 */
export async function takenBy(
  node: string,
  rows: readonly Row[],
  line: Pick<Line, "send">,
): Promise<TaskRow[]> {
  const tasks = rows.map((row) => ({ ...withTail(taskOf(row), row), owner: node }));
  const behind = tasks.filter(isBehind).map(({ id }) => id);
  if (behind.length === 0) return tasks;
  const again = await line.send(tails, [plainArray(behind)]);
  const byId = new Map(again.map((row) => [idOf(row), row]));
  return tasks.map((task) => withTail(task, byId.get(task.id)));
}

function isBehind({ snapshot, seq, tail }: TaskRow): boolean {
  return snapshot === null && (tail?.at(-1)?.seq ?? 0) < seq;
}

function withTail(task: TaskRow, row: Row | undefined): TaskRow {
  return typeof row?.["tail"] === "string" ? { ...task, tail: tailOf(row["tail"]) } : task;
}

function tailOf(text: JsonText): EventRow[] {
  const steps = JSON.parse(text) as (Omit<EventRow, "data"> & { data: unknown })[];
  return steps.map((step) => ({ ...step, data: JSON.stringify(step.data) }));
}
