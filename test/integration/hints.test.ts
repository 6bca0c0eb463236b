import postgres from "postgres";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Log } from "../../runtime/ports/log.ts";
import { silentLog } from "../../runtime/ports/log.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import type { Hint, Store } from "../../runtime/store/store.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { newId } from "../support/turns.ts";

describe("hints over PostgreSQL", () => {
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

  async function open(options: { schema?: string; log?: Log } = {}): Promise<Store> {
    const store = await openPostgresStore({ url: database.url, log: silentLog, ...options });
    stores.push(store);
    return store;
  }

  /** Resolves with what was heard once `enough` of it is there. */
  function collect(store: Store, enough: (heard: readonly Hint[]) => boolean) {
    const { promise, resolve } = Promise.withResolvers<readonly Hint[]>();
    const heard: Hint[] = [];
    const listening = store.hints.listen((hint) => {
      heard.push(hint);
      if (enough(heard)) resolve(heard);
    });
    return { listening, heard: promise };
  }

  test("reach another store", async () => {
    const [sender, receiver] = [await open(), await open()];
    const { listening, heard } = collect(receiver, (hints) => hints.length === 1);
    await listening;
    await sender.hints.send([{ about: "mail" }, { about: "mail" }]);
    expect(await heard).toEqual([{ about: "mail" }]);
  });

  test("more tasks than one payload holds arrive all", async () => {
    const [sender, receiver] = [await open(), await open()];
    const tasks = Array.from({ length: 1_000 }, newId);
    const named = (hints: readonly Hint[]) =>
      hints.flatMap((hint) => (hint.about === "watched" ? hint.tasks : []));
    const { listening, heard } = collect(receiver, (hints) => named(hints).length >= 1_000);
    await listening;
    const definitions = Array.from({ length: 100 }, (_, i) => `${"d".repeat(190)}${i}`);
    await sender.hints.send([
      ...definitions.map((definition): Hint => ({ about: "ready", definition, namespace: "n" })),
      { about: "watched", node: newId(), tasks },
    ]);
    const hints = await heard;
    expect(named(hints).toSorted()).toEqual(tasks.toSorted());
  });

  test("stores of another schema do not hear them", async () => {
    const [one, two] = [await open({ schema: "one" }), await open({ schema: "two" })];
    const first = collect(one, (hints) => hints.length === 1);
    const second = collect(two, (hints) => hints.length === 1);
    await Promise.all([first.listening, second.listening]);
    await one.hints.send([{ about: "mail" }]);
    await two.hints.send([{ about: "ready", definition: "d", namespace: "n" }]);
    expect(await first.heard).toEqual([{ about: "mail" }]);
    expect(await second.heard).toEqual([{ about: "ready", definition: "d", namespace: "n" }]);
  });

  test("a listener whose connection was killed hears again by itself", async () => {
    const store = await open();
    const { listening, heard } = collect(store, (hints) => hints.length > 0);
    await listening;
    const killed = await sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name = 'kantoku listener'`;
    expect(killed.length).toBe(1);
    let isHeard = false;
    void heard.then(() => {
      isHeard = true;
    });
    while (!isHeard) await store.hints.send([{ about: "mail" }]);
  });

  test("what others say on the channel is no hint and does no harm", async () => {
    const store = await open();
    const { listening, heard } = collect(store, (hints) => hints.length > 0);
    await listening;
    for (const payload of ["", "{", "7", "null", '[null, 7, {"about": "weather"}]', "{}"]) {
      await sql`select pg_notify('kantoku', ${payload})`;
    }
    await store.hints.send([{ about: "mail" }]);
    expect(await heard).toEqual([{ about: "mail" }]);
  });
});
