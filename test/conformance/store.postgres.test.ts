import { describe, test } from "vitest";
import { silentLog } from "../../runtime/ports/log.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import { openTestDatabase, type PostgresMajor, type TestDatabase } from "../support/database.ts";
import { emptyTables } from "../support/empty-tables.ts";
import { hasInstalledPostgres } from "../support/installed-postgres.ts";
import { describeStore } from "./store.suite.ts";

/** One database for all the tests of a version, emptied after each: a new one costs more. */
function describePostgres(major: PostgresMajor): void {
  let database: Promise<TestDatabase> | undefined;
  describeStore(`PostgreSQL ${major}`, {
    async open() {
      database ??= openTestDatabase(major);
      const { url } = await database;
      const store = await openPostgresStore({ url, lanes: 2, log: silentLog });
      const close = async () => {
        await store.close();
        await emptyTables(url);
      };
      return { store, close };
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
