import { describe, expect, test } from "vitest";
import { examine } from "../../runtime/store/memory/doctor.ts";
import { appendEvents, createTables, headOf, putTask } from "../../runtime/store/memory/tables.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { event, rowOf, submit } from "../support/turns.ts";

/** Breaks what no turn can break: the tables behind the store's back. */
function tablesWith(count: number) {
  const tables = createTables(createFakeClock());
  const tasks = Array.from({ length: count }, () => rowOf(submit()));
  for (const task of tasks) {
    putTask(tables, task);
    appendEvents(tables, task.id, [event(1, "task.submitted")]);
  }
  return { tables, tasks };
}

describe("doctor of the memory store", () => {
  test("finds a ready task that is not in the queue", () => {
    const { tables, tasks } = tablesWith(2);
    const [task] = tasks;
    if (task === undefined) throw new Error("unreachable");
    tables.queue.get(headOf(task))?.delete(task);
    expect(examine(tables)).toEqual([
      { invariant: "queue-matches-ready", count: 1, examples: [task.id] },
    ]);
  });

  test("finds a queued task that is not ready, at the wrong head, or gone", () => {
    const { tables, tasks } = tablesWith(3);
    const [running, moved, gone] = tasks;
    if (running === undefined || moved === undefined || gone === undefined) throw new Error();
    tables.tasks.set(running.id, { ...running, status: "paused" });
    tables.tasks.set(moved.id, { ...moved, version: "2" });
    tables.tasks.delete(gone.id);
    tables.journals.delete(gone.id);
    expect(examine(tables)).toEqual([
      { invariant: "queue-matches-ready", count: 3, examples: [running.id, moved.id, gone.id] },
    ]);
  });

  test("finds a journal without an actor", () => {
    const { tables } = tablesWith(1);
    appendEvents(tables, "nobody", [event(1, "task.submitted")]);
    expect(examine(tables)).toEqual([
      { invariant: "journal-has-actor", count: 1, examples: ["nobody"] },
    ]);
  });
});
