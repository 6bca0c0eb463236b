import { silentLog, start } from "kantoku/runtime";
import postgres from "postgres";
import { noop, noopInput } from "../definitions.ts";
import { quantiles } from "../quantiles.ts";
import type { Scope } from "../scope.ts";

const rowsFull = 1_000_000;
const samples = 200;

/**
 * Claims (a run through the queue) and lists, on an empty database and beside a million ready rows
 * that nobody serves, a million future starts and a million finished tasks.
 */
export async function millions({ databaseUrl, report, scale }: Scope): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  const kantoku = await start({ databaseUrl, definitions: [noop], slots: 1, log: silentLog });
  let n = 0;
  const claim = async (): Promise<void> => {
    n += 2;
    // Two at once on one slot: the second always goes through the queue.
    await Promise.all([kantoku.run(noop(noopInput(n))), kantoku.run(noop(noopInput(n + 1)))]);
  };
  const list = () => kantoku.list({ status: "running", limit: 50 });
  const listFailed = () => kantoku.list({ status: "failed", definition: "bench/noop", limit: 50 });
  try {
    const empty = await timeAll({ claim, list, listFailed });
    const rows = Math.ceil(rowsFull * scale);
    for (const kind of kinds) await fill(sql, { kind, rows });
    const full = await timeAll({ claim, list, listFailed });
    for (const name of Object.keys(empty)) {
      const [before = Number.NaN, after = Number.NaN] = [empty[name], full[name]];
      report({
        workload: `millions-${name}`,
        value: after / before,
        unit: "x of empty",
        p50: after,
        spread: [before, after],
      });
    }
  } finally {
    await kantoku.close();
    await sql.end();
  }
}

const kinds = ["ready", "future", "finished"] as const;

async function fill(
  sql: postgres.Sql,
  { kind, rows }: { kind: (typeof kinds)[number]; rows: number },
): Promise<void> {
  const status = { ready: "ready", future: "waiting", finished: "succeeded" }[kind];
  await sql.unsafe(`
    with made as (
      insert into kantoku.tasks (id, namespace, definition, key, priority, input, labels, metadata,
        root, created_at, status, version, seq, snapshot, attempt, output)
      select id, 'default', 'nobody/serves-${kind}', null, 10, '{"n":1}', '{}', '{}', id,
        clock_timestamp(), '${status}', '', 1, '{"value":"${status}","context":{}}', 0,
        case when '${status}' = 'succeeded' then '{}'::json end
      from (select gen_random_uuid() as id from generate_series(1, ${rows})) as ids
      returning id
    ), queued as (
      insert into kantoku.ready (id, namespace, definition, version, priority)
      select id, 'default', 'nobody/serves-${kind}', '', 10 from made where '${kind}' = 'ready'
    )
    insert into kantoku.timers (actor, kind, due_at)
    select id, 'due', clock_timestamp() + interval '1 year' from made where '${kind}' = 'future'`);
}

async function timeAll(
  works: Readonly<Record<string, () => Promise<unknown>>>,
): Promise<Record<string, number>> {
  const medians: Record<string, number> = {};
  for (const [name, work] of Object.entries(works)) {
    const times: number[] = [];
    for (let sample = 0; sample < samples; sample += 1) {
      const startedAt = performance.now();
      await work();
      times.push(performance.now() - startedAt);
    }
    medians[name] = quantiles(times).p50;
  }
  return medians;
}
