import { once } from "node:events";
import { connect, createServer } from "node:net";
import postgres from "postgres";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { type Line, LineLost, openLine } from "../../runtime/store/postgres/line.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";

describe("a line", () => {
  let database: TestDatabase;
  let sql: postgres.Sql;
  let line: Line;

  beforeEach(async () => {
    database = await openTestDatabase();
    sql = postgres(database.url, { max: 1, onnotice: () => {} });
    await sql`create table numbers (number int not null)`;
    line = await openLine({ url: database.url, schema: "kantoku", settings: {} });
  });

  afterEach(async () => {
    await line.close();
    await sql.end();
    await database.close();
  });

  const insert = "insert into numbers (number) values ($1)";
  const endOwnSession = "select pg_terminate_backend(pg_backend_pid())";

  test("N1 answers in the order of sending", async () => {
    const order: number[] = [];
    const numbers = Array.from({ length: 300 }, (_, index) => index);
    await Promise.all(
      numbers.map((number) => line.send(insert, [number]).then(() => order.push(number))),
    );
    expect(order).toEqual(numbers);
  });

  test("answers a statement by itself when it is committed, not when it is done", async () => {
    // Why this test? A batch of one statement is told to be committed by nothing but this.
    await sql`create table unique_numbers (
      number int, constraint at_commit unique (number) deferrable initially deferred
    )`;
    const twice = "insert into unique_numbers select $1::int from generate_series(1, 2)";
    await expect(line.send(twice, [7])).rejects.toThrow("at_commit");
    expect(await line.send("select count(*) as count from unique_numbers")).toEqual([{ count: 0 }]);
  });

  test("N2, N3 of a transaction whose connection ends, nothing happens and nothing waits", async () => {
    // Why this test? The driver keeps back what exceeds its pipeline, and its own pool would send
    // that on the next connection, where each statement commits by itself.
    const sent = [line.send("begin"), line.send(endOwnSession)];
    for (let number = 0; number < 300; number += 1) sent.push(line.send(insert, [number]));
    sent.push(line.send("commit"));
    const outcomes = await Promise.allSettled(sent);
    const rest = outcomes.slice(1).map((it) => it.status === "rejected" && it.reason);
    expect(rest.every((reason) => reason instanceof LineLost)).toBe(true);
    expect(line.isLost).toBe(true);
    await expect(line.send(insert, [1])).rejects.toThrow(LineLost);

    // What is sent now comes behind whatever a wrongly opened connection could have sent before.
    const again = await openLine({ url: database.url, schema: "kantoku", settings: {} });
    const [count] = await again.send("select count(*) as count from numbers");
    expect(count?.["count"]).toBe(0);
    await again.close();
  });

  test("N4 that fell out of step while it was made ready is not given out", async () => {
    // Why this test? The driver asks for the end of a description once more when it meets an error,
    // here the timeout of a statement of which this process, frozen, did not say that it ends. Two
    // answers come then, and all that follow would be taken for those of the statement behind.
    const target = new URL(database.url);
    const isSync = (chunk: Buffer) => chunk.equals(Buffer.from([0x53, 0, 0, 0, 4]));
    let isFrozen = false;
    const relay = createServer((client) => {
      const upstream = connect(Number(target.port), target.hostname);
      upstream.pipe(client);
      client.on("data", async (chunk: Buffer) => {
        client.pause();
        if (isSync(chunk) && !isFrozen) {
          isFrozen = true;
          await sql`select pg_sleep(0.3)`;
        }
        upstream.write(chunk);
        client.resume();
      });
      client.on("close", () => upstream.destroy());
    });
    onTestFinished(() => void relay.close());
    relay.listen(0, "127.0.0.1");
    await once(relay, "listening");
    const { port } = relay.address() as { port: number };
    const { href: url } = Object.assign(new URL(database.url), { port: String(port) });
    const settings = { statement_timeout: "100ms" };
    const opening = openLine({ url, schema: "kantoku", settings, prepared: [insert] });
    await expect(opening).rejects.toThrow(LineLost);
    expect(isFrozen).toBe(true);
    const again = await openLine({ url, schema: "kantoku", settings, prepared: [insert] });
    expect(await again.send("select 1 as one")).toEqual([{ one: 1 }]);
    await again.close();
  });

  test("tells once that it was lost, also those who ask later", async () => {
    let told = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    line.whenLost(() => {
      told += 1;
      resolve();
    });
    await sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`;
    await promise;
    line.whenLost(() => {
      told += 1;
    });
    expect(told).toBe(2);
  });

  test("an error of the server fails its statement and no other", async () => {
    const [failed, fine] = await Promise.allSettled([
      line.send(insert, ["not a number"]),
      line.send(insert, [1]),
    ]);
    expect(failed).toMatchObject({ status: "rejected", reason: { code: "22P02" } });
    expect(fine.status).toBe("fulfilled");
  });

  test("JSON and instants come as they were stored", async () => {
    const [row] = await line.send(
      `select $1::text::json as json, $2::text::jsonb as jsonb,
        '2026-01-02 03:04:05.678901+00'::timestamptz as at, 9007199254740991::int8 as big`,
      ['{"z":1.50,"a":12345678901234567890}', '{"a": 1}'],
    );
    expect(row).toEqual({
      json: '{"z":1.50,"a":12345678901234567890}',
      jsonb: '{"a": 1}',
      at: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
      big: 9007199254740991,
    });
  });

  test("a wrong password, a wrong port and a wrong database are reported, not waited for", async () => {
    for (const change of [{ password: "wrong" }, { port: "1" }, { pathname: "/nowhere" }]) {
      const { href } = Object.assign(new URL(database.url), change);
      await expect(openLine({ url: href, schema: "kantoku", settings: {} })).rejects.toThrow();
    }
  });
});
