import { describe, test } from "vitest";
import { silentLog } from "../../runtime/ports/log.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import { openTestDatabase, type PostgresMajor, type TestDatabase } from "../support/database.ts";
import { hasInstalledPostgres } from "../support/installed-postgres.ts";
import { describeStore } from "./store.suite.ts";

/** One database for all the tests of a version: each has a schema of its own, which costs less. */
function describePostgres(major: PostgresMajor): void {
  let database: Promise<TestDatabase> | undefined;
  let schemas = 0;
  describeStore(`PostgreSQL ${major}`, {
    async open() {
      database ??= openTestDatabase(major);
      schemas += 1;
      const { url } = await database;
      const schema = `kantoku_${schemas}`;
      const store = await openPostgresStore({ url, schema, lanes: 2, log: silentLog });
      return { store, close: () => store.close() };
    },
  });
}

describePostgres(18);

if (hasInstalledPostgres(15)) {
  describePostgres(15);
} else {
  describe("PostgreSQL 15", () => {
    test.skip("NOT TESTED: this machine has no /usr/lib/postgresql/15/bin", () => {});
  });
}
