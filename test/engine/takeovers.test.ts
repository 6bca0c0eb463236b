import { expect, test } from "vitest";
import type { Store } from "../../runtime/store/store.ts";
import { EngineRig } from "../support/engine-rig.ts";
import { createFaultyStore } from "../support/faulty-store.ts";

const retry = { maxAttempts: 9, backoff: "fixed", minMs: 100 } as const;

/**
 * What PostgreSQL may do beside a step that is being committed: no row is locked, the tail is read
 * in the snapshot of the statement, and so it lacks the step that commits just after.
 */
function missingTheLastStep(store: Store): Store {
  return {
    ...createFaultyStore(store),
    tasks: {
      ...store.tasks,
      async acquireOfWorker(node, worker) {
        const rows = await store.tasks.acquireOfWorker(node, worker);
        return rows.map((row) => ({ ...row, tail: row.tail?.slice(0, -1) ?? [] }));
      },
    },
  };
}

test("the deadline of an attempt outlives a take-over that missed a step", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ name: "w" });
  const id = await rig.submit({ retry, attemptTimeoutMs: 30_000 });
  await worker.step("a", 1);
  await worker.step("b", 2);
  const other = await rig.join({ store: missingTheLastStep(rig.store) });
  await worker.registerOn(other.service, { name: "w" });
  // Its answer was lost with the connection to the first node.
  expect(await worker.step("b", 2)).toEqual({ answer: "recorded" });
  await rig.live(60_000, worker);
  expect(await rig.types(id)).toContain("attempt.timedOut");
});

test("the grace of a cancel outlives a take-over that missed a step", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ name: "w" });
  const id = await rig.submit({ retry });
  await worker.step("a", 1);
  await rig.service.cancel({ id });
  await worker.step("b", 2);
  await worker.step("c", 2);
  const other = await rig.join({ store: missingTheLastStep(rig.store) });
  await worker.registerOn(other.service, { name: "w" });
  expect(await worker.step("c", 2)).toEqual({ answer: "recorded" });
  await rig.live(90_000, worker);
  expect(await rig.status(id)).toBe("cancelled");
});

test("a waiter on the former node hears of the end, though a step's answer came after the hand-over", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ name: "w" });
  const id = await rig.submit({ retry });
  const other = await rig.join();
  await rig.advance(5_000);
  const ending = rig.service.result({ id }).then(({ status }) => status);
  await rig.settle();
  // The step is written; its answer is lost, and the connection is back after three seconds.
  rig.node.store.plan({ fault: "lostAnswer" });
  rig.node.store.plan({ fault: "unavailable", times: 8 });
  const step = worker.step("a", 1);
  await rig.settle();
  await worker.registerOn(other.service, { name: "w" });
  await rig.live(5_000, worker);
  expect(await step).toEqual({ answer: "recorded" });
  await rig.live(10_000, worker);
  await worker.complete(7);
  await rig.live(120_000, worker);
  expect(await rig.status(id)).toBe("succeeded");
  expect(await Promise.race([ending, rig.settle().then(() => "never told")])).toBe("succeeded");
});
