import postgres from "postgres";
import { uuidv7 } from "uuidv7";
import { type Quantiles, quantiles } from "./quantiles.ts";

/** What the database grants one Node process that does nothing but write; rates are per second. */
export type RawLimit = { tasksPerSecond: number; stepsPerSecond: number; commitMs: Quantiles };

type Lane = (batch: number) => Promise<void>;

const laneCount = 2;
const warmUpBatches = 2;
const warmUpCommits = 50;
const timedCommits = 500;

const input = JSON.stringify({ url: "https://example.org/a/page/of/text", note: "x".repeat(43) });
const output = JSON.stringify({ ok: true, words: 1_234 });
const data = JSON.stringify({ attempt: 1, worker: "01900000-0000-7000-8000-000000000000", at: 17 });
const snapshot = JSON.stringify({ value: "running", status: "active", context: "x".repeat(148) });

const createTables = `
  drop schema if exists kantoku_raw cascade;
  create schema kantoku_raw;
  create table kantoku_raw.task (
    id uuid primary key, definition text not null, status text not null, seq int not null,
    input json not null, output json, snapshot json not null
  );
  create table kantoku_raw.event (
    task uuid not null, seq int not null, type text not null, at timestamptz not null,
    data json not null, primary key (task, seq)
  )`;

const insertEvents = (first: number) => `
  insert into kantoku_raw.event (task, seq, type, at, data)
  select e.task::uuid, e.seq::int, e.type, e.at::timestamptz, e.data::json
  from unnest($${first}::text[], $${first + 1}::text[], $${first + 2}::text[],
    $${first + 3}::text[], $${first + 4}::text[]) as e (task, seq, type, at, data)`;

const submitTasks = `
  with submitted as (
    insert into kantoku_raw.task (id, definition, status, seq, input, snapshot)
    select t.id::uuid, t.definition, t.status, t.seq::int, t.input::json, t.snapshot::json
    from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
      as t (id, definition, status, seq, input, snapshot)
  ) ${insertEvents(7)}`;

const completeTasks = `
  with completed as (
    update kantoku_raw.task as task
    set status = t.status, output = t.output::json, seq = t.seq::int, snapshot = t.snapshot::json
    from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
      as t (id, status, output, seq, snapshot)
    where task.id = t.id::uuid
  ) ${insertEvents(6)}`;

/**
 * Measures the schema `kantoku_raw`, which it creates and drops. A task costs two commits of its
 * batch: the insert with two events, then the update with a third.
 */
export async function measureRaw(
  databaseUrl: string,
  { tasks, batch }: { tasks: number; batch: number },
): Promise<RawLimit> {
  const sql = postgres(databaseUrl, {
    max: laneCount,
    onnotice: () => {},
    connection: {
      synchronous_commit: "on",
      // Without statistics the planner joins unnest() to a scan of the whole, growing task table.
      enable_seqscan: "off",
      enable_hashjoin: "off",
      enable_mergejoin: "off",
    },
  });
  try {
    await sql.unsafe(createTables);
    const batches = Math.ceil(tasks / batch);
    const tasksPerSecond = batch * (await batchesPerSecond(taskLanes(sql, batch), batches));
    await checkTasks(sql, batch * (batches + laneCount * warmUpBatches));
    const stepsPerSecond = batch * (await batchesPerSecond(stepLanes(sql, batch), batches));
    return { tasksPerSecond, stepsPerSecond, commitMs: quantiles(await singleCommits(sql)) };
  } finally {
    await sql.unsafe("drop schema if exists kantoku_raw cascade");
    await sql.end();
  }
}

async function batchesPerSecond(lanes: Lane[], batches: number): Promise<number> {
  await runBatches(lanes, lanes.length * warmUpBatches);
  const startedAt = performance.now();
  await runBatches(lanes, batches);
  return (batches * 1_000) / (performance.now() - startedAt);
}

async function runBatches(lanes: Lane[], batches: number): Promise<void> {
  let begun = 0;
  async function drain(lane: Lane): Promise<void> {
    while (begun < batches) await lane(begun++);
  }
  await Promise.all(lanes.map(drain));
}

function taskLanes(sql: postgres.Sql, batch: number): Lane[] {
  const column = (value: string) => Array<string>(batch).fill(value);
  const pairs = (first: string, second: string) => column(first).flatMap((one) => [one, second]);
  async function runTasks(): Promise<void> {
    const ids = Array.from({ length: batch }, uuidv7);
    const submittedAt = new Date().toISOString();
    await prepared(sql, submitTasks, [
      ids,
      column("noop"),
      column("running"),
      column("2"),
      column(input),
      column(snapshot),
      ids.flatMap((id) => [id, id]),
      pairs("1", "2"),
      pairs("submitted", "assigned"),
      pairs(submittedAt, submittedAt),
      pairs(data, data),
    ]);
    const completedAt = new Date().toISOString();
    await prepared(sql, completeTasks, [
      ids,
      column("succeeded"),
      column(output),
      column("3"),
      column(snapshot),
      ids,
      column("3"),
      column("succeeded"),
      column(completedAt),
      column(data),
    ]);
  }
  return Array.from({ length: laneCount }, () => runTasks);
}

/** Each lane holds a batch of tasks in flight and records the next step of every one per commit. */
function stepLanes(sql: postgres.Sql, batch: number): Lane[] {
  const column = (value: string) => Array<string>(batch).fill(value);
  return Array.from({ length: laneCount }, () => {
    const ids = Array.from({ length: batch }, uuidv7);
    let seq = 0;
    return async () => {
      seq += 1;
      const at = column(new Date().toISOString());
      const events = [ids, column(String(seq)), column("stepRecorded"), at, column(data)];
      await prepared(sql, insertEvents(1), events);
    };
  });
}

async function singleCommits(sql: postgres.Sql): Promise<number[]> {
  const task = uuidv7();
  const samples: number[] = [];
  for (let seq = 1; seq <= warmUpCommits + timedCommits; seq += 1) {
    const at = new Date().toISOString();
    const startedAt = performance.now();
    await prepared(sql, insertEvents(1), [[task], [String(seq)], ["stepRecorded"], [at], [data]]);
    if (seq > warmUpCommits) samples.push(performance.now() - startedAt);
  }
  return samples;
}

async function prepared(sql: postgres.Sql, query: string, columns: string[][]): Promise<void> {
  await sql.unsafe(query, columns, { prepare: true });
}

async function checkTasks(sql: postgres.Sql, expected: number): Promise<void> {
  const [counted] = await sql<{ tasks: number; events: number }[]>`
    select (select count(*)::int from kantoku_raw.task where status = 'succeeded') as tasks,
      (select count(*)::int from kantoku_raw.event) as events`;
  if (counted?.tasks === expected && counted.events === 3 * expected) return;
  throw new Error(`raw limit: expected ${expected} tasks, found ${JSON.stringify(counted)}`);
}
