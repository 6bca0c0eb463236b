import postgres from "postgres";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLog } from "../../runtime/ports/log.ts";
import { enter } from "../../runtime/store/postgres/commits/fence.ts";
import { writingOf } from "../../runtime/store/postgres/commits/statements.ts";
import { sessionSettings } from "../../runtime/store/postgres/connections.ts";
import { openLine } from "../../runtime/store/postgres/line.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import { isStoreError, nodeLeaseMsDefault, type Store } from "../../runtime/store/store.ts";
import type { Batch, Committed } from "../../runtime/store/turns.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { faultOf } from "../support/fault.ts";
import { type FaultProxy, openFaultProxy } from "../support/fault-proxy.ts";
import { enlistNode } from "../support/test-node.ts";
import { event, newId, rowOf, submit, submitRunning, succeeded, turnOf } from "../support/turns.ts";

let database: TestDatabase;
let sql: postgres.Sql;
let proxy: FaultProxy;
const stores: Store[] = [];

beforeEach(async () => {
  database = await openTestDatabase();
  sql = postgres(database.url, { max: 4, onnotice: () => {} });
  proxy = await openFaultProxy(database.url);
});

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await proxy.close();
  await sql.end();
  await database.close();
});

async function open(url = database.url, lanes = 2): Promise<Store> {
  const store = await openPostgresStore({ url, lanes, log: silentLog });
  stores.push(store);
  return store;
}

interface Sendings {
  readonly committed: Committed;
  readonly faults: readonly string[];
}

/** As the engine does: the identical batch, until the store answers for it. */
async function sendUntilAnswered(store: Store, batch: Batch): Promise<Sendings> {
  const faults: string[] = [];
  for (;;) {
    try {
      return { committed: await store.commits.commit(batch), faults };
    } catch (error) {
      const isTransient =
        isStoreError(error, "unknown") ||
        isStoreError(error, "contended") ||
        isStoreError(error, "unavailable");
      if (!isTransient) throw error;
      faults.push(error.fault);
    }
  }
}

/** Waits until some session of the store waits for a lock. */
async function untilBlocked(name: string): Promise<number> {
  for (;;) {
    const [blocked] = await sql<{ pid: number }[]>`
      select pid from pg_stat_activity
      where datname = current_database() and application_name like ${name}
        and wait_event_type = 'Lock'`;
    if (blocked !== undefined) return blocked.pid;
  }
}

describe("a connection that is cut after COMMIT was sent", () => {
  test("a hundred times: nothing is lost and nothing is written twice", async () => {
    const store = await open(proxy.url);
    const node = await enlistNode(store);
    const taken = submit({ key: "taken" });
    await store.commits.commit({ node: node.id, lane: 0, id: 1, turns: [taken] });

    const rounds = 100;
    let unknown = 0;
    for (let round = 0; round < rounds; round += 1) {
      const fresh = submit({ key: `fresh ${round}`, state: { owner: node.id } });
      const loser = submit({ key: "taken" });
      proxy.cutNextCommit();
      const first = { node: node.id, lane: 0, id: round + 2, turns: [fresh, loser] };
      const sent = await sendUntilAnswered(store, first);
      expect([...sent.committed.losers]).toEqual([loser.id]);
      const next = { node: node.id, lane: 1, id: round + 1, turns: [turnOf(rowOf(fresh))] };
      await sendUntilAnswered(store, next);
      unknown += sent.faults.filter((fault) => fault === "unknown").length;
    }
    expect([proxy.cuts, unknown]).toEqual([rounds, rounds]);
    const [counts] = await sql`
      select (select count(*)::int from kantoku.tasks where seq = 2) as tasks,
        (select count(*)::int from kantoku.events) as events`;
    expect(counts).toEqual({ tasks: rounds, events: 2 * rounds + 1 });
    expect(await store.doctor()).toEqual([]);
  });

  test.each(["one statement", "several"])(
    "a second sending of %s waits for the first",
    async (size) => {
      const store = await open(proxy.url);
      const node = await enlistNode(store);
      const held = submit({ state: { owner: node.id } });
      await store.commits.commit({ node: node.id, lane: 0, id: 1, turns: [held] });
      const others = size === "several" ? [submit()] : [];
      const batch = { node: node.id, lane: 0, id: 2, turns: [turnOf(rowOf(held)), ...others] };
      const sizes = { "one statement": 1, several: 3 };
      expect(writingOf(batch).statements).toHaveLength(sizes[size as keyof typeof sizes]);

      let second: Promise<Committed> | undefined;
      await sql.begin(async (holder) => {
        await holder`select from kantoku.tasks where id = ${held.id} for update`;
        proxy.cutNextCommit();
        const first = store.commits.commit(batch);
        expect(await faultOf(first)).toBe("unknown");
        await untilBlocked("kantoku lane%");
        second = store.commits.commit(batch);
      });
      await second;
      expect((await store.tasks.read("default", held.id))?.seq).toBe(2);
      expect(await store.doctor()).toEqual([]);
    },
  );

  test("no claim is lost: what a node does not know of is not its own", async () => {
    const store = await open(proxy.url);
    const node = await enlistNode(store);
    await node.commit(...Array.from({ length: 10 }, () => submit()));
    const head = { namespace: "default", definition: "resize", version: "" };
    proxy.cutNextCommit();
    const claimed = await store.queue.claim(node.id, [head], 4);
    expect(claimed).toHaveLength(4);
    const rest = await store.queue.claim(node.id, [head], 100);
    const owned = await sql<{ id: string }[]>`
      select id from kantoku.tasks where owner = ${node.id}`;
    const known = new Set([...claimed, ...rest].map(({ id }) => id));
    expect(owned.every(({ id }) => known.has(id))).toBe(true);
    expect(known.size).toBe(10);
  });
});

describe("a database that goes away", () => {
  test("is unavailable while it is away, and the same store goes on when it is back", async () => {
    const store = await open(proxy.url);
    const node = await enlistNode(store);
    const [before, during] = [submit(), submit()];
    await store.commits.commit({ node: node.id, lane: 0, id: 1, turns: [before] });
    await proxy.vanish();
    const batch = { node: node.id, lane: 0, id: 2, turns: [during] };
    // A commit may be on its way when the connection ends; then nobody knows.
    expect(await faultOf(store.commits.commit(batch))).toMatch(/unknown|unavailable/);
    expect(await faultOf(store.commits.commit(batch))).toBe("unavailable");
    expect(await faultOf(store.tasks.read("default", before.id))).toBe("unavailable");
    expect(await faultOf(store.nodes.renew(node.id, 60_000))).toBe("unavailable");
    expect(await faultOf(open(proxy.url))).toBe("unavailable");
    await proxy.reappear();
    await store.commits.commit(batch);
    const rows = await store.tasks.readMany([before.id, during.id]);
    expect(rows).toHaveLength(2);
  });

  test("a backend that is killed inside a transaction leaves nothing of it", async () => {
    const store = await open();
    const node = await enlistNode(store);
    const held = submit({ state: { owner: node.id } });
    await store.commits.commit({ node: node.id, lane: 0, id: 1, turns: [held] });
    const fresh = submit();
    const batch = { node: node.id, lane: 0, id: 2, turns: [fresh, turnOf(rowOf(held))] };
    await sql.begin(async (holder) => {
      await holder`select from kantoku.tasks where id = ${held.id} for update`;
      const commit = faultOf(store.commits.commit(batch));
      const pid = await untilBlocked("kantoku lane%");
      await sql`select pg_terminate_backend(${pid})`;
      expect(await commit).toBe("unknown");
    });
    expect(await store.tasks.readMany([fresh.id])).toEqual([]);
    await store.commits.commit(batch);
    expect((await store.tasks.read("default", held.id))?.seq).toBe(2);
    expect(await store.tasks.readMany([fresh.id])).toHaveLength(1);
  });

  test("killing every backend again and again under load loses nothing", async () => {
    const store = await open();
    const node = await enlistNode(store);
    const submitted: string[] = [];
    let kills = 0;
    let isOver = false;
    async function load(lane: number): Promise<void> {
      for (let id = 1; !isOver; id += 1) {
        const turns = Array.from({ length: 20 }, () => submit());
        await sendUntilAnswered(store, { node: node.id, lane, id, turns });
        submitted.push(...turns.map((turn) => turn.id));
        await store.tasks.readMany(submitted.slice(-1)).catch(expectStoreError);
        await store.nodes.renew(node.id, 60_000).catch(expectStoreError);
      }
    }
    async function kill(): Promise<void> {
      while (kills < 40) {
        const killed = await sql`
          select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name like 'kantoku %'`;
        if (killed.length > 0) kills += 1;
      }
      isOver = true;
    }
    await Promise.all([load(0), load(1), kill()]);
    const [counts] = await sql`
      select (select count(*)::int from kantoku.tasks) as tasks,
        (select count(*)::int from kantoku.events) as events,
        (select count(*)::int from kantoku.ready) as ready`;
    const expected = submitted.length;
    expect(counts).toEqual({ tasks: expected, events: expected, ready: expected });
    expect(await sendUntilDoctored(store)).toEqual([]);
  });
});

function expectStoreError(error: unknown): void {
  expect(isStoreError(error)).toBe(true);
}

async function sendUntilDoctored(store: Store) {
  for (;;) {
    try {
      return await store.doctor();
    } catch (error) {
      expectStoreError(error);
    }
  }
}

describe("two stores", () => {
  test("that submit the same 1,000 keys in opposite orders make each task once", async () => {
    const [one, two] = [await open(), await open()];
    const [first, second] = [await enlistNode(one), await enlistNode(two)];
    const rounds = 4;
    const faults: string[] = [];
    let losers = 0;
    for (let round = 0; round < rounds; round += 1) {
      const keys = Array.from({ length: 1_000 / rounds }, (_, index) => `key ${round} ${index}`);
      const batches = [
        { store: one, node: first.id, keys },
        { store: two, node: second.id, keys: keys.toReversed() },
      ];
      const sent = await Promise.all(
        batches.map(({ store, node, keys }) => {
          const turns = keys.map((key) => submit({ key }));
          return sendUntilAnswered(store, { node, lane: 0, id: round + 1, turns });
        }),
      );
      losers += sent.reduce((sum, it) => sum + it.committed.losers.size, 0);
      faults.push(...sent.flatMap((it) => it.faults));
    }
    expect(losers).toBe(1_000);
    // Sorted by key, no two batches wait for each other in a circle.
    expect(faults).toEqual([]);
    const [counts] = await sql`
      select count(*)::int as tasks, count(distinct key)::int as keys,
        (select count(*)::int from kantoku.events) as events,
        (select count(*)::int from kantoku.ready) as ready
      from kantoku.tasks`;
    expect(counts).toEqual({ tasks: 1_000, keys: 1_000, events: 1_000, ready: 1_000 });
  });
});

describe("the fence", () => {
  test("the reaper waits for a commit that is under way, and the next one is fenced", async () => {
    const store = await open();
    const reaper = await open();
    const node = await enlistNode(store);
    const held = submit({ state: { owner: node.id } });
    await node.commit(held);
    let removed: Promise<void> | undefined;
    let commit: Promise<unknown> | undefined;
    await sql.begin(async (holder) => {
      await holder`select from kantoku.tasks where id = ${held.id} for update`;
      commit = node.commit(turnOf(rowOf(held)));
      await untilBlocked("kantoku lane%");
      removed = reaper.nodes.remove(node.id);
      await untilBlocked("kantoku desk");
      // Renewals are not held up by either.
      expect(await store.nodes.renew(node.id, 60_000)).not.toBeNull();
    });
    await Promise.all([commit, removed]);
    expect((await store.tasks.read("default", held.id))?.seq).toBe(2);
    expect(await faultOf(node.commit(submit()))).toBe("fenced");
    expect(await reaper.nodes.free(10)).toBe(1);
  });

  test("a zombie frozen inside its transaction holds the reaper off for seconds only", async () => {
    const store = await open();
    const node = await enlistNode(store);
    const zombie = await openLine({
      url: database.url,
      schema: "kantoku",
      settings: sessionSettings(nodeLeaseMsDefault),
    });
    await zombie.send("begin deferrable");
    await zombie.send(enter, [node.id, 9, 1]);
    const frozenAt = performance.now();
    await store.nodes.remove(node.id);
    expect(performance.now() - frozenAt).toBeLessThan(7_000);
    await expect(zombie.send("commit")).rejects.toThrow();
    await zombie.close();
    const [batches] = await sql`select count(*)::int as count from kantoku.batches`;
    expect(batches?.["count"]).toBe(0);
  });
});

describe("what a commit writes", () => {
  test("a submit that is assigned at once is one statement with the fence in it", () => {
    const node = newId();
    const turns = [submitRunning({ node, worker: newId() }, { key: "k" })];
    const { statements } = writingOf({ node, lane: 0, id: 1, turns });
    expect(statements.map(({ text }) => writtenTables(text))).toEqual([
      ["batches", "tasks", "events"],
    ]);
  });

  test("its completion is one, too", () => {
    const node = newId();
    const row = rowOf(submitRunning({ node, worker: newId() }));
    const turn = turnOf(row, { state: succeeded, events: [event(3, "attempt.succeeded")] });
    const { statements } = writingOf({ node, lane: 0, id: 1, turns: [turn] });
    expect(statements.map(({ text }) => writtenTables(text))).toEqual([
      ["batches", "tasks", "events"],
    ]);
  });

  test("more turns than a statement takes are divided, and all of them written", async () => {
    const store = await open();
    const node = await enlistNode(store);
    const turns = Array.from({ length: 2_500 }, () => submit({ state: { owner: node.id } }));
    await node.commit(...turns);
    await node.commit(...turns.map((turn) => turnOf(rowOf(turn))));
    const [counts] = await sql`
      select count(*)::int as tasks, (select count(*)::int from kantoku.events) as events
      from kantoku.tasks where seq = 2`;
    expect(counts).toEqual({ tasks: 2_500, events: 5_000 });
  });
});

function writtenTables(text: string): string[] {
  const writes = text.matchAll(/(?:insert into|update|delete from) kantoku\.(\w+)/g);
  return [...writes].map(([, table]) => table ?? "");
}
