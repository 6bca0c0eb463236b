import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";

/** A task as the database holds it, read past all code that is under test. */
export interface Story {
  readonly id: string;
  readonly key: string | null;
  readonly definition: string;
  readonly status: string;
  readonly output: unknown;
  readonly events: readonly StoryEvent[];
}

interface StoryEvent {
  readonly seq: number;
  readonly type: string;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly data: Readonly<Record<string, unknown>>;
}

const pollMs = 20;

/** All tasks with their journals, oldest first. */
export async function readStories(url: string): Promise<readonly Story[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const events = new Map<string, StoryEvent[]>();
    const rows = await sql<(StoryEvent & { actor: string })[]>`
      select actor, seq, type, (extract(epoch from at) * 1000)::float8 as at, data
      from kantoku.events order by actor, seq`;
    for (const { actor, ...event } of rows) {
      const journal = events.get(actor) ?? [];
      journal.push(event);
      events.set(actor, journal);
    }
    const tasks = await sql<Omit<Story, "events">[]>`
      select id, key, definition, status, output from kantoku.tasks order by id`;
    return tasks.map((task) => ({ ...task, events: events.get(task.id) ?? [] }));
  } finally {
    await sql.end();
  }
}

/** Resolves when no task is left that may still move. */
export async function untilAllEnded(url: string, timeoutMs: number): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  const giveUpAt = Date.now() + timeoutMs;
  try {
    for (;;) {
      const open = await sql<{ status: string; count: number }[]>`
        select status, count(*)::int as count from kantoku.tasks
        where ended_at is null and status <> 'quarantined' group by status`;
      if (open.length === 0) return;
      if (Date.now() > giveUpAt) {
        const counts = open.map(({ status, count }) => `${count} ${status}`).join(", ");
        const stuck = (await readStories(url)).filter(({ status }) => isOpen(status));
        const told = stuck.slice(0, 3).map(tellStory).join("\n");
        throw new Error(`after ${timeoutMs} ms there are still ${counts}, such as\n${told}`);
      }
      await sleep(pollMs);
    }
  } finally {
    await sql.end();
  }
}

/** Resolves when so many events of a type have been recorded. */
export async function untilEvents(url: string, type: string, wanted: number): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    for (const giveUpAt = Date.now() + 30_000; ; ) {
      const [row] = await sql<{ count: number }[]>`
        select count(*)::int as count from kantoku.events where type = ${type}`;
      if ((row?.count ?? 0) >= wanted) return;
      if (Date.now() > giveUpAt) throw new Error(`only ${row?.count} of ${wanted} ${type}`);
      await sleep(pollMs);
    }
  } finally {
    await sql.end();
  }
}

/** The incarnation under which a process is a node now; undefined when it is none. */
export async function readIncarnation(url: string, pid: number): Promise<string | undefined> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const [row] = await sql<{ incarnation: string }[]>`
      select incarnation from kantoku.nodes where pid = ${pid}`;
    return row?.incarnation;
  } finally {
    await sql.end();
  }
}

/** Names of workers by their ids. */
export async function readWorkerNames(url: string): Promise<ReadonlyMap<string, string>> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const rows = await sql<{ id: string; name: string }[]>`select id, name from kantoku.workers`;
    return new Map(rows.map(({ id, name }) => [id, name]));
  } finally {
    await sql.end();
  }
}

/** Resolves when the database has come back. */
export async function answersQueries(url: string): Promise<void> {
  for (const giveUpAt = Date.now() + 30_000; ; ) {
    const sql = postgres(url, { max: 1, connect_timeout: 1, onnotice: () => {} });
    try {
      await sql`select 1`;
      return;
    } catch (error) {
      if (Date.now() > giveUpAt) throw error;
      await sleep(pollMs);
    } finally {
      await sql.end({ timeout: 0 });
    }
  }
}

function isOpen(status: string): boolean {
  return !["succeeded", "failed", "cancelled", "quarantined"].includes(status);
}

/** A journal as lines, for failures. */
export function tellStory({ id, key, definition, status, events }: Story): string {
  const lines = events.map(({ seq, type, at, data }) => {
    return `  ${seq} ${new Date(at).toISOString()} ${type} ${JSON.stringify(data)}`;
  });
  return [`task ${id} (${definition}, key ${key}) is ${status}`, ...lines].join("\n");
}
