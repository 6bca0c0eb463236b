import postgres from "postgres";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLog } from "../../runtime/ports/log.ts";
import { migrations } from "../../runtime/store/postgres/migrate.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import { isStoreError, type Store } from "../../runtime/store/store.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { faultOf } from "../support/fault.ts";
import { submitRoot, submitRunningMember, submitWaitingMember } from "../support/graph-turns.ts";
import { enlistNode } from "../support/test-node.ts";
import { newId, submit } from "../support/turns.ts";

describe("migrations", () => {
  let database: TestDatabase;
  let sql: postgres.Sql;
  const stores: Store[] = [];

  beforeEach(async () => {
    database = await openTestDatabase();
    sql = postgres(database.url, { max: 1, onnotice: () => {} });
  });

  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
    await sql.end();
    await database.close();
  });

  async function open(schema?: string): Promise<Store> {
    const store = await openPostgresStore({
      url: database.url,
      log: silentLog,
      ...(schema === undefined ? {} : { schema }),
    });
    stores.push(store);
    return store;
  }

  test("are numbered 1, 2, 3 without gaps", () => {
    expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, i) => i + 1));
  });

  test("twenty starters at once migrate once", async () => {
    const started = await Promise.all(Array.from({ length: 20 }, () => open()));
    const applied = await sql<{ version: number }[]>`
      select version from kantoku.migrations order by version`;
    expect(applied.map(({ version }) => version)).toEqual(migrations.map((it) => it.version));
    for (const store of started) expect(await store.doctor()).toEqual([]);
  });

  test("a start on a migrated schema changes nothing and keeps what is there", async () => {
    const node = await enlistNode(await open());
    const turn = submit();
    await node.commit(turn);
    const again = await open();
    expect((await again.tasks.read("default", turn.id))?.id).toBe(turn.id);
  });

  test("a schema that newer code has migrated is refused, and left as it is", async () => {
    await open();
    const newer = migrations.length + 1;
    await sql`insert into kantoku.migrations (version, name) values (${newer}, 'later')`;
    const refused = open();
    expect(await faultOf(refused)).toBe("refused");
    await refused.catch((error: unknown) => {
      expect(isStoreError(error) && error.message).toContain(`version ${newer}`);
    });
    await sql`delete from kantoku.migrations where version = ${newer}`;
    await open();
  });

  test("a migration that fails leaves nothing behind, and the next start applies it", async () => {
    // The last statement of the first migration is about to find its name taken.
    await sql`create schema kantoku`;
    await sql.unsafe("create function kantoku.refuse(text, text) returns void language sql as ''");
    expect(await faultOf(open())).toBe("refused");
    const tables = await sql`select from pg_tables where schemaname = 'kantoku'`;
    expect(tables.length).toBe(0);
    await sql`drop function kantoku.refuse(text, text)`;
    await open();
  });

  test("a role without the right to create works in a schema that is there", async () => {
    await open();
    await sql`create role limited login password 'secret'`;
    await sql`grant usage on schema kantoku to limited`;
    await sql`grant select, insert, update, delete on all tables in schema kantoku to limited`;
    const url = new URL(database.url);
    url.username = "limited";
    url.password = "secret";
    const store = await openPostgresStore({ url: url.href, log: silentLog });
    stores.push(store);
    const node = await enlistNode(store);
    await node.commit(submit());
    await sql`reassign owned by limited to current_user`;
    await Promise.all(stores.splice(0).map((it) => it.close()));
    await sql`drop owned by limited`;
    await sql`drop role limited`;
  });

  test("edges of graphs that are under way move into the rows of their tasks", async () => {
    await migrateTo(3);
    const root = submitRoot({}, { state: { owner: null } });
    const first = submitRunningMember({ root }, newId());
    const last = submitWaitingMember({ root }, [first]);
    for (const { identity, state } of [root, first, last]) {
      const row = { ...identity, ...state };
      await sql`
        insert into kantoku.tasks (id, namespace, definition, priority, input, labels, metadata, root,
          parent, created_at, status, version, seq, snapshot, attempt, kind, name, depth, awaited)
        values (${row.id}, 'default', 'resize', 10, '{}', '{}', '{}', ${row.root}, ${row.parent},
          now(), ${row.status}, '', 1, '{}', 0, ${row.place?.kind ?? "task"},
          ${row.place?.name ?? null}, ${row.place?.depth ?? 0}, ${row.place?.isAwaited ?? false})`;
      await sql`
        insert into kantoku.events (actor, seq, type, at, data)
        values (${row.id}, 1, 'task.submitted', now(), '{}')`;
    }
    const edges = [
      { dependency: first.id, dependent: last.id },
      { dependency: first.id, dependent: root.id },
      { dependency: last.id, dependent: root.id },
    ];
    await sql`insert into kantoku.edges ${sql(edges)}`;
    const gates = [
      { task: last.id, pending: 1 },
      { task: root.id, pending: 2 },
    ];
    await sql`insert into kantoku.gates ${sql(gates)}`;

    const store = await open();
    const moved = await store.graphs.edges(root.id);
    expect(moved).toHaveLength(edges.length);
    expect(moved).toEqual(expect.arrayContaining(edges));
    const found = (await store.doctor()).map(({ invariant }) => invariant);
    expect(found.filter((it) => /gate|dependenc/.test(it))).toEqual([]);
  });

  test("hashes of names are counted where there are tasks, and not where there are none", async () => {
    const counted = () => sql`
      select from pg_stats_ext_exprs where statistics_schemaname = 'kantoku' and n_distinct <> 0`;
    await migrateTo(6);
    await sql`
      insert into kantoku.tasks (id, namespace, definition, priority, input, labels, metadata, root,
        created_at, status, version, seq, snapshot, attempt)
      select id, 'default', 'resize', 10, '{}', '{}', '{}', id, now(), 'succeeded', '', 1, '{}', 0
      from (select gen_random_uuid() as id from generate_series(1, 10)) as made`;
    await open();
    expect(await counted()).toHaveLength(2);
    await sql`drop schema kantoku cascade`;
    await open();
    const [tasks] = await sql`select reltuples from pg_class where oid = 'kantoku.tasks'::regclass`;
    expect(tasks?.["reltuples"]).toBe(-1);
  });

  async function migrateTo(version: number): Promise<void> {
    await sql`create schema kantoku`;
    await sql`
      create table kantoku.migrations (
        version int primary key, name text not null, applied_at timestamptz not null default now()
      )`;
    for (const { version: number, name, text } of migrations.slice(0, version)) {
      await sql.unsafe(text);
      await sql`insert into kantoku.migrations (version, name) values (${number}, ${name})`;
    }
  }

  test("stores in schemas of different names do not see each other", async () => {
    const [one, two] = [await open("one"), await open("two")];
    const node = await enlistNode(one);
    await node.commit(submit());
    const query = { namespace: "default", order: "ascending", limit: 10 } as const;
    expect(await one.tasks.list(query)).toHaveLength(1);
    expect(await two.tasks.list(query)).toHaveLength(0);
  });

  test("a name that would need quotes is refused before anything is touched", async () => {
    await expect(open('kan"toku')).rejects.toThrow(RangeError);
  });
});
