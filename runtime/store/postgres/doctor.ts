import type { Finding } from "../../../sdk/protocol/service.ts";
import { openLine } from "./line.ts";
import { idOf } from "./rows.ts";
import { storeErrorOf } from "./sql-state.ts";

const examplesMax = 10;

const isEnded = "status in ('succeeded', 'failed', 'cancelled', 'skipped')";

const outcomes = `(
  'attempt.succeeded', 'attempt.failed', 'attempt.timedOut', 'attempt.lost', 'attempt.refused',
  'attempt.cancelled'
)`;

/** After one of these nothing but `attempt.late` may follow. */
const alwaysTerminal = `(
  'attempt.succeeded', 'attempt.cancelled', 'task.timedOut', 'task.succeeded', 'task.failed',
  'task.skipped', 'task.cancelled', 'task.reused'
)`;

/** What the last event of an ended task can be, late attempts aside. */
const terminal = `(
  'attempt.succeeded', 'attempt.cancelled', 'task.timedOut', 'attempt.failed', 'attempt.timedOut',
  'attempt.lost', 'task.cancelRequested', 'task.succeeded', 'task.failed', 'task.skipped',
  'task.cancelled', 'task.reused'
)`;

/** One promise about what is stored: a query for the actors that break it, as `id`. */
const checks: Readonly<Record<string, string>> = {
  /** Events of an actor are numbered 1, 2, 3 … without gaps. */
  "journal-gapless": `
    select actor as id from kantoku.events
    group by actor having min(seq) <> 1 or max(seq) <> count(*)`,

  /** A task's or worker's seq is that of its last event; of a task that runs, but for its last steps. */
  "journal-matches-seq": `
    select actors.id
    from (
      select id, seq, status in ('running', 'cancelling') as has_tail from kantoku.tasks
      union all
      select id, seq, false from kantoku.workers
    ) as actors
    left join (
      select actor, max(seq) as seq, max(seq) filter (where type <> 'step.recorded') as folded
      from kantoku.events group by actor
    ) as journals on journals.actor = actors.id
    where actors.seq > coalesce(journals.seq, 0)
      or actors.seq < coalesce(case when has_tail then journals.folded else journals.seq end, 0)`,

  /** Every journal belongs to a task or a worker. */
  "journal-has-actor": `
    select distinct events.actor as id from kantoku.events as events
    where not exists (select from kantoku.tasks where tasks.id = events.actor)
      and not exists (select from kantoku.workers where workers.id = events.actor)`,

  /** A task is in the queue if and only if it is ready and nobody owns it, at its own head. */
  "queue-matches-ready": `
    select coalesce(ready.id, tasks.id) as id
    from kantoku.ready as ready
    full join (
      select id, namespace, definition, version, priority from kantoku.tasks
      where status = 'ready' and owner is null
    ) as tasks using (id, namespace, definition, version, priority)
    where ready.id is null or tasks.id is null
    group by 1`,

  /** A task has ended if and only if its journal has; then only late attempts and a restart are noted. */
  "ended-is-final": `
    select tasks.id
    from kantoku.tasks as tasks
    left join lateral (
      select (array_agg(type order by seq desc))[1] as last,
        count(*) filter (where type in ${alwaysTerminal}) as ends
      from kantoku.events
      where actor = tasks.id and type <> 'attempt.late'
        and seq >= coalesce((
          select max(seq) from kantoku.events
          where actor = tasks.id and type = 'task.restarted'
        ), 0)
    ) as journal on true
    where journal.ends > (case when journal.last in ${alwaysTerminal} then 1 else 0 end)
      or case when ${isEnded} then coalesce(journal.last, '') not in ${terminal}
        else journal.last in ${alwaysTerminal} end`,

  /** An ended task has an end, and only an ended one. */
  "ended-has-end": `
    select id from kantoku.tasks where (${isEnded}) <> (ended_at is not null)`,

  /** A task that succeeded has an output, one that failed has an error. */
  "ended-has-output-or-error": `
    select id from kantoku.tasks
    where status = 'succeeded' and output is null or status = 'failed' and error is null`,

  /** No attempt has two outcomes. */
  "one-outcome-per-attempt": `
    select distinct actor as id
    from (
      select actor from kantoku.events
      where type in ${outcomes}
      group by actor, data ->> 'token'
      having count(*) > 1
    ) as repeated`,

  /** Whoever owns a task has a lease row. */
  "owner-is-live": `
    select id from kantoku.tasks as tasks
    where owner is not null
      and not exists (select from kantoku.nodes where nodes.incarnation = tasks.owner)`,

  /** A task that holds a slot names a worker that exists; one that is made of others holds none. */
  "running-has-worker": `
    select id from kantoku.tasks as tasks
    where status in ('running', 'cancelling') and kind = 'task'
      and not exists (select from kantoku.workers where workers.id = tasks.worker)`,

  /** A start timer belongs to a waiting task, any timer to one that has not ended. */
  "timers-have-waiting-task": `
    select timers.actor as id
    from kantoku.timers as timers
    left join kantoku.tasks as tasks on tasks.id = timers.actor
    where tasks.id is null or ${isEnded} or timers.kind = 'due' and status <> 'waiting'`,

  /** Something will wake every waiting task. */
  "waiting-has-waker": `
    select id from kantoku.tasks as tasks
    where status = 'waiting'
      and not exists (
        select from kantoku.timers where timers.actor = tasks.id and timers.kind = 'due'
      )
      and not exists (select from kantoku.mail where mail.actor = tasks.id)
      and not exists (select from kantoku.gates where gates.task = tasks.id and pending > 0)`,

  /** A gate counts the dependencies of its task that have not ended, and each of them knows of it. */
  "gate-counts-dependencies": `
    select gates.task as id
    from kantoku.gates as gates
    left join unnest(gates.dependencies) as dependency on true
    left join kantoku.tasks as tasks on tasks.id = dependency
    left join kantoku.tasks as own on own.id = gates.task
    group by gates.task, gates.pending, own.id
    having own.id is null
      or count(tasks.id) filter (where tasks.ended_at is null) <> gates.pending
      or bool_or(tasks.id is not null and gates.task <> all (coalesce(tasks.dependents, '{}')))`,

  /** Every letter is addressed to a task that exists. */
  "mail-has-actor": `
    select mail.actor as id from kantoku.mail as mail
    where not exists (select from kantoku.tasks where tasks.id = mail.actor)`,
};

/**
 * All checks see one moment: between two statements the living go on, and what one of them has
 * not written yet would look broken. On a connection of its own, for it reads everything.
 */
export async function examine({
  url,
  schema,
  isWanted = () => true,
}: {
  url: string;
  schema: string;
  isWanted?: (() => boolean) | undefined;
}): Promise<Finding[]> {
  try {
    const line = await openLine({ url, schema, settings: { application_name: "kantoku doctor" } });
    try {
      await line.send("begin isolation level repeatable read read only");
      const findings: Finding[] = [];
      for (const [invariant, check] of Object.entries(checks)) {
        if (!isWanted()) break;
        const rows = await line.send(`
          select id, count(*) over () as count from (${check}) as broken
          order by id limit ${examplesMax}`);
        if (rows.length === 0) continue;
        findings.push({ invariant, count: Number(rows[0]?.["count"]), examples: rows.map(idOf) });
      }
      return findings;
    } finally {
      await line.close();
    }
  } catch (error) {
    throw storeErrorOf(error);
  }
}
