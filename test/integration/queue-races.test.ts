import postgres from "postgres";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../../runtime/ports/log.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import type { TaskRow } from "../../runtime/store/rows.ts";
import type { Store } from "../../runtime/store/store.ts";
import type { WorkerTurn } from "../../runtime/store/turns.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { openFaultProxy } from "../support/fault-proxy.ts";
import { submitRoot, submitWaitingMember } from "../support/graph-turns.ts";
import { enlistNode } from "../support/test-node.ts";
import {
  event,
  newId,
  register,
  rowOf,
  stepsOf,
  submit,
  submitRunning,
  succeeded,
  turnOf,
} from "../support/turns.ts";

let database: TestDatabase;
let sql: postgres.Sql;
let store: Store;
let other: Store;

beforeEach(async () => {
  database = await openTestDatabase();
  sql = postgres(database.url, { max: 4, onnotice: () => {} });
  store = await openPostgresStore({ url: database.url, lanes: 1, log: silentLog });
  other = await openPostgresStore({ url: database.url, lanes: 1, log: silentLog });
});

afterEach(async () => {
  await store.close();
  await other.close();
  await sql.end();
  await database.close();
});

const head = { namespace: "default", definition: "resize", version: "" };
const cancelled = { status: "cancelled", owner: null, endedAt: 1 } as const;

async function untilBlocked(name: string): Promise<void> {
  for (;;) {
    const [blocked] = await sql`
      select pid from pg_stat_activity
      where datname = current_database() and application_name like ${name}
        and wait_event_type = 'Lock'`;
    if (blocked !== undefined) return;
  }
}

function drainingOf(worker: WorkerTurn): WorkerTurn {
  const row = { ...worker.row, seq: 2 };
  return { ...worker, expectedSeq: 1, row, events: [event(2, "worker.draining")] };
}

test("a task that is taken while it enters the queue leaves it", async () => {
  const node = await enlistNode(store);
  const claimed = submit({ state: { owner: node.id } });
  const waiting = submit();
  await node.commit(claimed, waiting);
  let released: Promise<void> | undefined;
  let taken: Promise<readonly TaskRow[]> | undefined;
  const undone = new Error("rolled back");
  const stretched = sql.begin(async (holder) => {
    // Stretches the moment in which the task enters the queue.
    await holder`
      insert into kantoku.ready (id, namespace, definition, version, priority)
      values (${claimed.id}, 'x', 'x', '', 1)`;
    released = store.tasks.release(node.id, [claimed.id]);
    await untilBlocked("kantoku desk");
    taken = store.tasks.acquire(node.id, [claimed.id]);
    await untilBlocked("kantoku acquires");
    throw undone;
  });
  await expect(stretched).rejects.toBe(undone);
  await released;
  const [row] = (await taken) ?? [];
  const events = [event(2, "task.cancelRequested")];
  await node.commit(turnOf(row as TaskRow, { events, state: cancelled }));
  expect(await store.doctor()).toEqual([]);
  const claims = await other.queue.claim(node.id, [head], 1);
  expect(claims.map(({ id }) => id)).toEqual([waiting.id]);
});

test("what was left dead in the queue is swept out by the claim that finds it", async () => {
  const node = await enlistNode(store);
  const ended = submit({ state: { ...succeeded } });
  const waiting = submit();
  await node.commit(ended, waiting);
  await sql`
    insert into kantoku.ready (id, namespace, definition, version, priority)
    values (${ended.id}, 'default', 'resize', '', 1)`;
  const claims = [
    await other.queue.claim(node.id, [head], 1),
    await other.queue.claim(node.id, [head], 1),
  ];
  expect(claims.flat().map(({ id }) => id)).toEqual([waiting.id]);
  expect((await store.doctor()).map(({ invariant }) => invariant)).not.toContain(
    "queue-matches-ready",
  );
});

test("a dependent that is taken while its dependency ends leaves the queue", async () => {
  const node = await enlistNode(store);
  const root = submitRoot();
  const first = submitWaitingMember({ root }, [], { status: "running", owner: node.id });
  const second = submitWaitingMember({ root }, [first]);
  await node.commit(root, first, second);
  const ends = {
    ...turnOf(rowOf(first), { events: [event(2, "attempt.succeeded")], state: succeeded }),
    links: { hasEnded: true },
  };
  const begins = {
    ...turnOf(rowOf(second), {
      events: [event(2, "task.resolved")],
      state: { status: "ready", owner: null },
    }),
    links: { isForetold: true, input: "1" },
  };
  let ended: Promise<unknown> | undefined;
  let taken: Promise<readonly TaskRow[]> | undefined;
  await sql.begin(async (holder) => {
    // Another lane's batch counts the same gate down: the ordinary wait of a fan-in.
    await holder`select from kantoku.gates where task = ${second.id} for update`;
    ended = node.commit(ends, begins);
    await untilBlocked("kantoku lane%");
    taken = other.tasks.acquire(node.id, [second.id]);
    await untilBlocked("kantoku acquires");
  });
  await ended;
  const [row] = (await taken) ?? [];
  expect(row?.status).toBe("ready");
  const events = [event(3, "task.cancelRequested")];
  await node.commit(turnOf(row as TaskRow, { events, state: cancelled }));
  expect((await store.doctor()).map(({ invariant }) => invariant)).not.toContain(
    "queue-matches-ready",
  );
});

/** Of the statements that follow the one that takes. */
test.each([
  ["acquired", "delete from kantoku.ready as ready\nwhere id = any ($1"],
  ["claimed", "select id, seq, snapshot from kantoku.tasks where id = any ($1"],
])(
  "a task that is %s on a connection that is cut half-way stays in the queue",
  async (how, cut) => {
    const proxy = await openFaultProxy(database.url);
    const cutOff = await openPostgresStore({ url: proxy.url, log: silentLog });
    const node = await enlistNode(store);
    const task = submit({ state: { snapshot: null } });
    await node.commit(task);

    // The second time, too: what was lost once is sent again.
    proxy.cutNextStatement(cut, 2);
    const taken =
      how === "acquired"
        ? cutOff.tasks.acquire(node.id, [task.id])
        : cutOff.queue.claim(node.id, [head], 1);
    await expect(taken).rejects.toMatchObject({ fault: "unavailable" });
    expect(proxy.cuts).toBe(2);

    // As soon as the database knows that the connection has ended.
    const claims = async () => (await store.queue.claim(node.id, [head], 1)).map(({ id }) => id);
    await expect.poll(claims).toEqual([task.id]);
    await cutOff.close();
    await proxy.close();
  },
);

test("a step that commits beside a take-over is in the journal once, in its place", async () => {
  const node = await enlistNode(store);
  const next = await enlistNode(other);
  const worker = register();
  const task = submitRunning({ node: node.id, worker: worker.id });
  await node.commit(worker, task);
  let step: Promise<unknown> | undefined;
  await sql.begin(async (holder) => {
    // Something behind the steps in the same batch waits: here a worker's row.
    await holder`select from kantoku.workers where id = ${worker.id} for update`;
    step = node.commit(stepsOf(task.id, { after: 2 }), drainingOf(worker));
    await untilBlocked("kantoku lane%");
    await other.tasks.acquireOfWorker(next.id, worker.id);
  });
  await step;
  expect((await store.journal.read(task.id, 0, 10)).map(({ seq }) => seq)).toEqual([1, 2, 3]);
});

test("a task without a snapshot that is taken while its turn commits brings all of its journal", async () => {
  const node = await enlistNode(store);
  const next = await enlistNode(other);
  const worker = register();
  const task = submitRunning({ node: node.id, worker: worker.id });
  await node.commit(worker, task);
  let turned: Promise<unknown> | undefined;
  let taken: Promise<readonly TaskRow[]> | undefined;
  await sql.begin(async (holder) => {
    // Something behind the turn in the same batch waits: here a worker's row.
    await holder`select from kantoku.workers where id = ${worker.id} for update`;
    const turn = turnOf(rowOf(task), {
      events: [event(3, "task.cancelRequested")],
      state: { status: "cancelling", seq: 3, snapshot: null },
    });
    turned = node.commit(turn, drainingOf(worker));
    await untilBlocked("kantoku lane%");
    taken = other.tasks.acquire(next.id, [task.id], worker.id);
    await untilBlocked("kantoku acquires");
  });
  await turned;
  const [row] = (await taken) ?? [];
  expect(row).toMatchObject({ seq: 3, snapshot: null, owner: next.id });
  expect(row?.tail?.map(({ seq }) => seq)).toEqual([1, 2, 3]);
});

test("a watch neither waits for whoever is at its task nor keeps a claim from it", async () => {
  const node = await enlistNode(store);
  const next = await enlistNode(other);
  const task = submit();
  await node.commit(task);
  await sql.begin(async (holder) => {
    await holder`select from kantoku.tasks where id = ${task.id} for no key update`;
    await store.watches.watch(node.id, [task.id]);
  });
  let watched: Promise<void> | undefined;
  await sql.begin(async (holder) => {
    // Stretches the moment in which the watch is written.
    await holder`lock table kantoku.watches in share mode`;
    watched = store.watches.watch(next.id, [task.id]);
    await untilBlocked("kantoku notices");
    expect(await other.queue.claim(next.id, [head], 10)).toMatchObject([{ id: task.id }]);
  });
  await watched;
});

test("a letter does not wait for what is being deleted", async () => {
  const node = await enlistNode(store);
  const task = submit();
  await node.commit(task);
  let deleted: Promise<number> | undefined;
  await sql.begin(async (holder) => {
    // Stretches a portion of the retention.
    await holder`lock table kantoku.gates in access exclusive mode`;
    deleted = store.tasks.deleteEnded(Date.now(), 10);
    await untilBlocked("kantoku %");
    await store.mail.post({ id: newId(), actor: task.id, message: '{"type":"cancel"}' });
  });
  expect(await deleted).toBe(0);
});
