import fc from "fast-check";
import { describe, test } from "vitest";
import { silentLog } from "../../runtime/ports/log.ts";
import { createMemoryStore } from "../../runtime/store/memory/index.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import type { Store } from "../../runtime/store/store.ts";
import { openTestDatabase } from "../support/database.ts";
import { emptyTables } from "../support/empty-tables.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { expectAlike } from "../support/store-comparison.ts";
import { storeOperations } from "../support/store-operations.ts";

/** Some ten seconds: each operation is a round trip or two, each commit waits for the disk. */
const numRuns = 25;

async function passBy(store: Store, ms: number): Promise<void> {
  const until = (await store.now()) + ms;
  while ((await store.now()) <= until);
}

describe("the memory store and the PostgreSQL store", () => {
  test("answer and hold the same for the same operations", { timeout: 120_000 }, async () => {
    const { url, close } = await openTestDatabase();
    const actual = await openPostgresStore({ url, lanes: 2, log: silentLog });
    try {
      await fc.assert(
        fc.asyncProperty(storeOperations, async (operations) => {
          await emptyTables(url);
          const clock = createFakeClock();
          const expected = createMemoryStore({ clock });
          await expectAlike(
            {
              expected: { store: expected, advance: clock.advance },
              actual: { store: actual, advance: (ms) => passBy(actual, ms) },
            },
            operations,
          );
        }),
        { numRuns },
      );
    } finally {
      await actual.close();
      await close();
    }
  });
});
