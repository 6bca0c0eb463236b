import { expect, test } from "vitest";
import type { TaskRow } from "../../runtime/store/rows.ts";
import { EngineRig } from "../support/engine-rig.ts";

test("a snapshot that cannot be read is made again from the journal, and holds nobody up", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ slots: 10 });
  const startAt = rig.clock.now() + 2_000;
  const broken = await rig.submit({ input: "broken", startAt });
  const whole = await rig.submit({ input: "whole", startAt: startAt + 1 });
  await spoil(rig, broken);
  await rig.advance(5_000);
  expect(worker.assignments.map(({ task }) => task).sort()).toEqual([broken, whole].sort());
  expect(rig.logged.map(({ message }) => message)).toContain(
    "task snapshot made again from the journal",
  );
  expect(await rig.store.doctor()).toEqual([]);
});

test("one that waits in the queue is claimed all the same", async () => {
  await using rig = await EngineRig.start();
  const broken = await rig.submit({ input: "broken" });
  await spoil(rig, broken);
  const worker = await rig.worker({ slots: 10 });
  await rig.advance(5_000);
  expect(worker.assignments.map(({ task }) => task)).toEqual([broken]);
});

/** As if some other hand had written the row. */
async function spoil(rig: EngineRig, task: string): Promise<void> {
  const node = rig.node.engine.life.incarnation;
  const [row] = (await rig.store.tasks.acquire(node, [task])) as [TaskRow];
  const state = { ...row, snapshot: '{"value":"nowhere","context":{}}', owner: null };
  const turn = {
    kind: "task" as const,
    id: task,
    identity: null,
    expectedSeq: row.seq,
    state,
    events: [],
    timersSet: [],
    timersCleared: [],
    letters: [],
  };
  await rig.store.commits.commit({ node, lane: 9, id: 1, turns: [turn] });
}
