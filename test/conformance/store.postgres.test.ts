import { afterAll, describe, test } from "vitest";
import { silentLog } from "../../runtime/ports/log.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import type { Store } from "../../runtime/store/store.ts";
import { openTestDatabase, type PostgresMajor, type TestDatabase } from "../support/database.ts";
import { emptyTables } from "../support/empty-tables.ts";
import { hasInstalledPostgres } from "../support/installed-postgres.ts";
import { describeStore } from "./store.suite.ts";

/** One database and one store for all the tests of a version, emptied after each: new ones cost more. */
function describePostgres(major: PostgresMajor): void {
  let opening: Promise<{ database: TestDatabase; store: Store }> | undefined;

  async function openOnce(): Promise<{ database: TestDatabase; store: Store }> {
    const database = await openTestDatabase(major);
    const store = await openPostgresStore({ url: database.url, lanes: 2, log: silentLog });
    return { database, store };
  }

  describeStore(`PostgreSQL ${major}`, {
    async open() {
      opening ??= openOnce();
      const { database, store } = await opening;
      return { store, close: () => emptyTables(database.url) };
    },
  });

  afterAll(async () => {
    const opened = await opening;
    await opened?.store.close();
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
