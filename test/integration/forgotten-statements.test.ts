import { expect, test } from "vitest";
import { silentLog } from "../../runtime/ports/log.ts";
import { createCommitStore } from "../../runtime/store/postgres/commits/commit.ts";
import { createConnections } from "../../runtime/store/postgres/connections.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import { type CommitStore, isStoreError } from "../../runtime/store/store.ts";
import type { Batch, Committed } from "../../runtime/store/turns.ts";
import { openTestDatabase } from "../support/database.ts";
import { enlistNode } from "../support/test-node.ts";
import { rowOf, submit, turnOf } from "../support/turns.ts";

const mayHelp: ReadonlySet<string> = new Set(["contended", "unknown", "unavailable"]);

/** As a node sends a batch: again, identical, until it is answered for. */
async function untilAnswered(commits: CommitStore, batch: Batch): Promise<Committed> {
  for (;;) {
    try {
      return await commits.commit(batch);
    } catch (error) {
      if (!isStoreError(error) || !mayHelp.has(error.fault)) throw error;
    }
  }
}

test("a session that forgot its prepared statements loses no turn", async () => {
  const database = await openTestDatabase();
  const { url } = database;
  const store = await openPostgresStore({ url, lanes: 1, log: silentLog });
  const options = { url, schema: "kantoku", lanes: 1, nodeLeaseMs: 2_000 };
  const connections = createConnections(options);
  try {
    const node = await enlistNode(store);
    const held = submit({ state: { owner: node.id } });
    await node.commit(held);
    const commits = createCommitStore(connections);
    const line = await connections.lanes[0]?.line();
    await commits.commit({ node: node.id, lane: 1, id: 1, turns: [submit()] });
    // What a pooler in transaction mode does to a session: its statements are another one's.
    await line?.send("deallocate all");
    const fresh = submit();
    const turns = [fresh, turnOf(rowOf(held))];
    const { losers } = await untilAnswered(commits, { node: node.id, lane: 1, id: 2, turns });
    expect(losers.size).toBe(0);
    expect((await store.tasks.read("default", held.id))?.seq).toBe(2);
    expect(await store.tasks.read("default", fresh.id)).not.toBeNull();
  } finally {
    await connections.close();
    await store.close();
    await database.close();
  }
});
