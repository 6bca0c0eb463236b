import fc from "fast-check";
import { expect, test } from "vitest";
import { createFold, type StoredSnapshot } from "../../runtime/machines/fold.ts";
import type { TaskEvent } from "../../runtime/machines/task.events.ts";
import { taskMachine } from "../../runtime/machines/task.machine.ts";
import type { TaskRow } from "../../runtime/store/rows.ts";
import type { Store } from "../../runtime/store/store.ts";
import type { CommitFault } from "../support/faulty-store.ts";
import { type Program, ProgramRun, programs } from "../support/program.ts";

const taskFold = createFold(taskMachine);

/** The journal is the task: folding it again gives its row, and every seq is there; steps may come after. */
async function checkReplay(store: Store, task: TaskRow): Promise<void> {
  const events = await store.journal.read(task.id, 0, 10_000);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  const tail = events.slice(task.seq);
  expect(tail.every(({ type }) => type === "step.recorded")).toBe(true);
  if (tail.length > 0) expect(["running", "cancelling"]).toContain(task.status);
  let snapshot = taskFold.initial;
  for (const { type, data } of events.slice(0, task.seq)) {
    const event = { type, ...(JSON.parse(data) as object) } as TaskEvent;
    const next = taskFold.next(snapshot, event).snapshot;
    expect(next, `${type} was journaled and not accepted`).not.toBe(snapshot);
    snapshot = taskFold.restore(
      JSON.parse(JSON.stringify(taskFold.stored(next))) as StoredSnapshot,
    );
  }
  if (task.snapshot !== null) {
    expect(taskFold.stored(snapshot)).toEqual(JSON.parse(task.snapshot));
  } else {
    // Whoever waits unowned has one, for claims read no journal; an attempt whose node is gone has none.
    const mayLack = task.endedAt !== null || ["running", "cancelling"].includes(task.status);
    expect(mayLack).toBe(true);
    expect(task.seq).toBeLessThanOrEqual(64);
  }
  expect(task.status).toBe(snapshot.value);
  expect(task.attempt).toBe(snapshot.context.attempt);
}

async function checkAll(run: ProgramRun): Promise<void> {
  const { store } = run.rig;
  const all = await run.allTasks();
  for (const task of all) await checkReplay(store, task);
  // What was accepted is never lost.
  expect(all.map(({ id }) => id)).toEqual(expect.arrayContaining(run.tasks));
}

async function checkRest(run: ProgramRun): Promise<void> {
  const { store } = run.rig;
  const unfinished = (await run.allTasks()).filter(
    ({ endedAt, status }) => endedAt === null && status !== "quarantined",
  );
  expect(unfinished.map(({ id, status, owner }) => ({ id, status, owner }))).toEqual([]);
  expect(await store.doctor()).toEqual([]);
  for (const { engine } of run.nodes) {
    const { life, audience } = engine;
    expect(life.directory.size).toBe(0);
    expect(audience.attended()).toEqual([]);
    for (const worker of life.pool.all()) {
      expect([...worker.holdings.keys()]).toEqual([]);
      expect([...worker.suspects]).toEqual([]);
    }
  }
  expect(run.rig.clock.alarmCount).toBeLessThanOrEqual(run.alarmsAtRest);
}

async function play(program: Program): Promise<void> {
  await using run = await ProgramRun.start(program);
  await run.execute(program.commands);
  await checkAll(run);
  await run.finish();
  await checkAll(run);
  await checkRest(run);
}

const parameters = {
  numRuns: Number(process.env["KANTOKU_TEST_PROGRAMS"] ?? 120),
  endOnFailure: false,
};

test("whatever happens, journals fold to their rows, slots hold, and all comes to rest", async () => {
  await fc.assert(fc.asyncProperty(programs({ faults: [] }), play), parameters);
}, 600_000);

test("the same holds while commits fail and nodes lose their leases", async () => {
  const faults: CommitFault[] = ["contended", "unknown", "lostAnswer", "unavailable"];
  await fc.assert(fc.asyncProperty(programs({ faults }), play), parameters);
}, 600_000);
