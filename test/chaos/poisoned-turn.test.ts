import { expect, onTestFinished, test } from "vitest";
import { silentLog, startNode } from "../../runtime/index.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import type { Store } from "../../runtime/store/store.ts";
import type { Turn } from "../../runtime/store/turns.ts";
import { createClient, type Kantoku } from "../../sdk/index.ts";
import { noop } from "../support/chaos/tasks.ts";
import { openTestDatabase } from "../support/database.ts";

const turnCount = 400;
const poisonedKey = "key-123";

test("of 400 turns in one batch only the one that the database refuses fails", async () => {
  const { kantoku, doctor, batchSizes } = await startPoisoned();
  const outcomes = await Promise.allSettled(
    Array.from({ length: turnCount }, (_, n) =>
      kantoku.submit(noop({ n }), { idempotencyKey: `key-${n}` }),
    ),
  );

  expect(batchSizes[0]).toBe(turnCount);
  const failures = outcomes.flatMap((outcome, n) =>
    outcome.status === "rejected" ? [{ key: `key-${n}`, code: outcome.reason.code }] : [],
  );
  expect(failures).toEqual([{ key: poisonedKey, code: "internal" }]);
  const { tasks } = await kantoku.list({ limit: 1_000 });
  expect(tasks.length).toBe(turnCount - 1);
  expect(await doctor()).toEqual([]);
});

/** A node whose store spoils the input of one key on its way to the database. */
async function startPoisoned(): Promise<{
  kantoku: Kantoku;
  doctor: Store["doctor"];
  batchSizes: readonly number[];
}> {
  const database = await openTestDatabase();
  const store = await openPostgresStore({ url: database.url, log: silentLog });
  const batchSizes: number[] = [];
  const poisoned: Store = {
    ...store,
    commits: {
      commit(batch) {
        batchSizes.push(batch.turns.length);
        return store.commits.commit({ ...batch, turns: batch.turns.map(spoil) });
      },
    },
  };
  const node = await startNode({ store: poisoned, log: silentLog, lanes: 1 });
  onTestFinished(async () => {
    await node.stop();
    await database.close();
  });
  return { kantoku: createClient(node.service("default")), doctor: store.doctor, batchSizes };
}

function spoil(turn: Turn): Turn {
  if (turn.kind !== "task" || turn.identity?.key !== poisonedKey) return turn;
  return { ...turn, identity: { ...turn.identity, input: "{ not JSON" } };
}
