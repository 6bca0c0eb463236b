import postgres from "postgres";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Log } from "../../runtime/ports/log.ts";
import { silentLog } from "../../runtime/ports/log.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import type { Hint, Store } from "../../runtime/store/store.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { type FaultProxy, openFaultProxy } from "../support/fault-proxy.ts";
import { newId } from "../support/turns.ts";

describe("hints over PostgreSQL", () => {
  let database: TestDatabase;
  let sql: postgres.Sql;
  let proxy: FaultProxy;
  const stores: Store[] = [];

  beforeEach(async () => {
    database = await openTestDatabase();
    sql = postgres(database.url, { max: 1, onnotice: () => {} });
    proxy = await openFaultProxy(database.url);
  });

  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
    await sql.end();
    await proxy.close();
    await database.close();
  });

  async function open(options: { schema?: string; log?: Log } = {}): Promise<Store> {
    const store = await openPostgresStore({ url: proxy.url, log: silentLog, ...options });
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

  const isListener = "datname = current_database() and application_name = 'kantoku listener'";

  /** How many there were; they are gone when it resolves. */
  async function killListeners(schema: string): Promise<number> {
    const killed = await sql.unsafe(`
      select pg_terminate_backend(pid, 10000) from pg_stat_activity
      where ${isListener} and query = 'listen ${schema}'`);
    return killed.length;
  }

  async function untilHeard(store: Store, heard: Promise<unknown>): Promise<void> {
    let isHeard = false;
    void heard.then(() => {
      isHeard = true;
    });
    while (!isHeard) await store.hints.send([{ about: "mail" }]);
  }

  /** Another store's listener is lost and comes back, twice: whatever was lost before is back, too. */
  async function passReopening(): Promise<void> {
    const witness = await open({ schema: "witness" });
    for (let times = 0; times < 2; times += 1) {
      const { listening, heard } = collect(witness, (hints) => hints.length > 0);
      await listening;
      expect(await killListeners("witness")).toBe(1);
      await untilHeard(witness, heard);
    }
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
    expect(await killListeners("kantoku")).toBe(1);
    await untilHeard(store, heard);
  });

  test("a connection that is lost as it begins to listen is replaced by one", async () => {
    const store = await open();
    proxy.cutNextStatement("listen kantoku");
    const refused = store.hints.listen(() => {});
    await expect(refused).rejects.toMatchObject({ fault: "unavailable" });

    await store.hints.listen(() => {});
    await passReopening();
    expect(await killListeners("kantoku")).toBe(1);
  });

  test("a listener that is lost again as it comes back is replaced by one", async () => {
    const store = await open();
    const { listening, heard } = collect(store, (hints) => hints.length > 0);
    await listening;
    proxy.cutNextStatement("listen kantoku");
    await killListeners("kantoku");
    await untilHeard(store, heard);

    await passReopening();
    expect(await killListeners("kantoku")).toBe(1);
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
