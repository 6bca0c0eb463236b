import fc from "fast-check";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { plainArray, textArray } from "../../runtime/store/postgres/arrays.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";

describe("array literals", () => {
  let database: TestDatabase;
  let sql: postgres.Sql;

  beforeAll(async () => {
    database = await openTestDatabase();
    sql = postgres(database.url, { max: 1, fetch_types: false, onnotice: () => {} });
  });

  afterAll(async () => {
    await sql.end();
    await database.close();
  });

  async function sentAndRead(literal: string, type: string): Promise<(string | null)[]> {
    const rows = await sql.unsafe<{ cell: string | null }[]>(
      `select cell::text from unnest($1::text::${type}[]) with ordinality as given (cell, place)
      order by place`,
      [literal],
      { prepare: true },
    );
    return rows.map(({ cell }) => cell);
  }

  // NUL and lone surrogates have no place in PostgreSQL's text; the payload rules refuse them.
  const character = fc.oneof(
    fc.constantFrom('"', "\\", "{", "}", ",", " ", "\n", "\t", "\u007f", "é", "漢", "👍", "\u2028"),
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }).filter((it) => it !== "\0"),
  );
  const text = fc.oneof(
    fc.array(character).map((characters) => characters.join("")),
    fc.constantFrom("NULL", "null", "", " ", "{}", '"', "\\", "\\n", "\\u0041"),
  );

  test("text comes back as it was sent, whatever is in it", async () => {
    const cells = fc.array(fc.option(text), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(cells, async (given) => {
        expect(await sentAndRead(textArray(given), "text")).toEqual(given);
      }),
      { numRuns: 500 },
    );
  });

  test("JSON comes back byte for byte", async () => {
    const cells = fc.array(fc.option(fc.json({ stringUnit: "grapheme" })), { maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(cells, async (given) => {
        expect(await sentAndRead(textArray(given), "json")).toEqual(given);
      }),
      { numRuns: 200 },
    );
  });

  test("the largest payload comes back whole", async () => {
    const largest = JSON.stringify('"\\é👍\n'.repeat(30_000)).slice(0, 256 * 1024 - 1);
    const given = [JSON.stringify("x".repeat(256 * 1024 - 2)), null, JSON.stringify(largest)];
    expect(await sentAndRead(textArray(given), "json")).toEqual(given);
  });

  test("numbers and ids come back as they were sent", async () => {
    const numbers = [0, -1, 2 ** 53 - 1, 1767225600123, null];
    expect(await sentAndRead(plainArray(numbers), "int8")).toEqual(
      numbers.map((number) => (number === null ? null : String(number))),
    );
    const id = "01900000-0000-7000-8000-000000000000";
    expect(await sentAndRead(plainArray([id, null]), "uuid")).toEqual([id, null]);
    expect(await sentAndRead(plainArray([]), "uuid")).toEqual([]);
  });
});
