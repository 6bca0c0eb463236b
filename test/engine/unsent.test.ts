import { expect, test } from "vitest";
import { EngineRig } from "../support/engine-rig.ts";
import type { ScriptedWorker } from "../support/scripted-worker.ts";

const retry = { maxAttempts: 9, backoff: "fixed", minMs: 100 } as const;

/** The next attempt of a task with a step: what is recorded of it is read before it is sent. */
async function retryWithStep(rig: EngineRig, worker: ScriptedWorker): Promise<void> {
  await worker.step("a", 1);
  await worker.fail();
  await rig.advance(200);
}

test("an attempt whose steps could not be read is lost, and starts again", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit({ retry });
  rig.node.store.failNext("journal.readType");
  await retryWithStep(rig, worker);
  expect(worker.assignments).toHaveLength(1);
  await rig.live(4_000, worker);
  expect(worker.last).toMatchObject({ task: id, attempt: 3 });
  expect(worker.last.journal).toMatchObject([{ data: { step: "a" } }]);
  expect(await rig.eventsOf(id, "attempt.lost")).toMatchObject([
    { reason: "undelivered", counts: false },
  ]);
  await worker.complete();
  expect(await rig.status(id)).toBe("succeeded");
});

test("an attempt that was sent after all is not lost for the reading that failed", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ name: "w" });
  const id = await rig.submit({ retry });
  rig.node.store.failNext("journal.readType");
  await retryWithStep(rig, worker);
  await worker.registerOn(rig.service, { name: "w" });
  await rig.settle();
  expect(worker.last).toMatchObject({ task: id, attempt: 2 });
  await rig.live(10_000, worker);
  expect(await rig.types(id)).not.toContain("attempt.lost");
});

test("an attempt that times out before it is sent leaves its slot free", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  await rig.submit({ retry: { maxAttempts: 2, minMs: 100, maxMs: 100 }, attemptTimeoutMs: 500 });
  rig.node.store.holdAnswers("journal.readType");
  await retryWithStep(rig, worker);
  const next = await rig.submit({ input: "next" });
  expect(worker.assignments).toHaveLength(1);
  await rig.live(4_000, worker);
  expect(worker.last).toMatchObject({ task: next });
});

test("a task that is cancelled before its attempt is sent ends without it, and at once", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit({ retry });
  const release = rig.node.store.holdAnswers("journal.readType");
  await retryWithStep(rig, worker);
  await rig.service.cancel({ id });
  release();
  await rig.settle();
  expect(worker.assignments).toHaveLength(1);
  expect(await rig.status(id)).toBe("cancelled");
  await rig.submit({ input: "next" });
  expect(worker.last.input).toBe("next");
});

test("a worker that comes back is not sent what was cancelled before", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ name: "w" });
  const commit = rig.node.store.hold();
  const submitted = rig.service.submit({ definition: "job" });
  await rig.settle();
  worker.link.detach();
  commit();
  const { id } = await submitted;
  await rig.service.cancel({ id });
  await worker.registerOn(rig.service, { name: "w" });
  await rig.settle();
  expect(worker.assignments).toEqual([]);
  expect(await rig.status(id)).toBe("cancelled");
});
