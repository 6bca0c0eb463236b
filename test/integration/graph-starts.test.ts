import { afterEach, beforeEach, expect, test } from "vitest";
import { start } from "../../runtime/index.ts";
import { silentLog } from "../../runtime/ports/log.ts";
import { type Kantoku, task } from "../../sdk/index.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";

let database: TestDatabase;
let kantoku: Kantoku;

const one = task("one", {}, async () => 1);
const plus = task("plus", {}, async (n: number) => n + 1);

beforeEach(async () => {
  database = await openTestDatabase();
  kantoku = await start({
    databaseUrl: database.url,
    definitions: [one, plus],
    log: silentLog,
  });
});

afterEach(async () => {
  await kantoku.close();
  await database.close();
});

test("a graph waits for its start in PostgreSQL, and is laid out then", async () => {
  const startAt = Date.now() + 500;
  const handle = await kantoku.submit(plus(one({})), { startAt });
  expect(await handle.status()).toBe("waiting");
  expect(await handle.result()).toBe(2);
  const { tasks } = await kantoku.list({ root: handle.id });
  expect(tasks).toHaveLength(3);
  for (const { startedAt } of tasks) expect(startedAt).toBeGreaterThanOrEqual(startAt);
});

test("a graph that is cancelled before its start, and restarted, waits for it in PostgreSQL", async () => {
  const startAt = Date.now() + 1_000;
  const handle = await kantoku.submit(plus(one({})), { startAt });
  await handle.cancel();
  expect(await handle.status()).toBe("cancelled");
  await handle.restart();
  expect(await handle.result()).toBe(2);
  const { tasks } = await kantoku.list({ root: handle.id });
  for (const { startedAt } of tasks) expect(startedAt).toBeGreaterThanOrEqual(startAt);
});
