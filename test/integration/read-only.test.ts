import postgres from "postgres";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Node, startNode } from "../../runtime/node.ts";
import { silentLog } from "../../runtime/ports/log.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import type { Store } from "../../runtime/store/store.ts";
import { createClient, type Kantoku, task } from "../../sdk/index.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";

vi.setConfig({ testTimeout: 30_000 });
const polling = { timeout: 15_000 };

let database: TestDatabase;
let sql: postgres.Sql;
let observer: postgres.Sql;
let store: Store;
let node: Node;
let kantoku: Kantoku;
const noop = task("noop", {}, async (n: number) => n);

const held = Promise.withResolvers<void>();
const entered = Promise.withResolvers<void>();
const gate = task("gate", {}, async (n: number) => {
  entered.resolve();
  await held.promise;
  return n;
});

beforeEach(async () => {
  database = await openTestDatabase();
  sql = postgres(database.url, { max: 1, onnotice: () => {} });
  observer = postgres(database.url, { max: 1, onnotice: () => {} });
  await observer`select`;
  store = await openPostgresStore({ url: database.url, log: silentLog });
  node = await startNode({ store, log: silentLog });
  kantoku = createClient(node.service("default"), { instance: node.instance });
  await kantoku.work([noop, gate], { slots: 10 });
});

afterEach(async () => {
  await setReadOnly(false);
  await kantoku.close();
  await node.stop();
  await Promise.all([sql.end(), observer.end()]);
  await database.close();
});

/** As when a disk is full, or a primary becomes a standby: what is there can still be read. */
async function setReadOnly(isReadOnly: boolean): Promise<void> {
  const value = isReadOnly ? "on" : "off";
  await sql.unsafe("set default_transaction_read_only = off");
  await sql.unsafe(`alter system set default_transaction_read_only = ${value}`);
  await sql`select pg_reload_conf()`;
  await observed(value);
}

/** Sessions are told one after the other, the oldest last: what that one has heard, all have. */
async function observed(value: string): Promise<void> {
  for (;;) {
    const [row] = await observer`show default_transaction_read_only`;
    if (row?.["default_transaction_read_only"] === value) return;
  }
}

test("a node whose database takes no writes says so, and goes on by itself when it does", async () => {
  const running = await kantoku.submit(gate(1));
  await entered.promise;
  await setReadOnly(true);
  // Its report is taken, and written when it can be.
  held.resolve();
  const refused = kantoku.submit(noop(2), { idempotencyKey: "again" });
  await expect(refused).rejects.toMatchObject({
    code: "busy",
    message: expect.stringContaining("the database takes no writes right now"),
  });
  await expect.poll(() => node.isReady(), polling).toBe(false);

  await setReadOnly(false);
  await expect.poll(() => node.isReady(), polling).toBe(true);
  expect(await running.result()).toBe(1);
  expect(await kantoku.run(noop(2), { idempotencyKey: "again" })).toBe(2);
  expect(await sql`select count(*)::int as tasks from kantoku.tasks`).toEqual([{ tasks: 2 }]);
  expect(await store.doctor()).toEqual([]);
});
