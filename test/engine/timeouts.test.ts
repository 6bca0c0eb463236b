import { expect, test } from "vitest";
import { EngineRig } from "../support/engine-rig.ts";
import { errorOf } from "../support/outcome.ts";

test("an attempt that takes too long is cancelled and tried again", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ slots: 2 });
  const retry = { maxAttempts: 2, backoff: "fixed", minMs: 300 } as const;
  const id = await rig.submit({ attemptTimeoutMs: 1_000, retry });
  const { token } = worker.last;
  expect(worker.last).toMatchObject({ deadlineAt: rig.clock.now() + 1_000, deadlineInMs: 1_000 });
  await rig.advance(900);
  expect(await rig.status(id)).toBe("running");
  await rig.advance(100);
  expect(await rig.status(id)).toBe("waiting");
  expect(worker.cancellations).toMatchObject([{ token, reason: "timed out" }]);
  await rig.advance(300);
  expect(worker.last).toMatchObject({ task: id, attempt: 2 });
  expect(await worker.complete(1, token)).toEqual({ answer: "late" });
  expect(await worker.complete(2)).toEqual({ answer: "recorded" });
  expect(await rig.service.result({ id })).toMatchObject({ output: 2 });
  expect(await rig.eventsOf(id, "attempt.late")).toEqual([{ token, outcome: "succeeded" }]);
});

test("the last attempt that takes too long fails the task as timed out", async () => {
  await using rig = await EngineRig.start();
  await rig.worker();
  const id = await rig.submit({ attemptTimeoutMs: 1_000 });
  await rig.advance(1_000);
  const error = await errorOf(rig.service.result({ id }));
  expect(error.code).toBe("task-timed-out");
  expect(error.data).toMatchObject({ task: id, error: { code: "attempt-timed-out" } });
});

test("a timed out attempt's slot stays taken until its worker reports", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  await rig.submit({ attemptTimeoutMs: 500 });
  const { token } = worker.last;
  await rig.submit({ input: "next" });
  await rig.advance(500);
  expect(worker.cancellations).toHaveLength(1);
  const beat = await worker.beat();
  expect(beat).toEqual({ keep: [], drop: [token] });
  await rig.live(4_000, worker);
  expect(worker.assignments).toHaveLength(1);
  expect(await worker.fail({}, token)).toEqual({ answer: "late" });
  await rig.settle();
  expect(worker.last.input).toBe("next");
  expect(worker.mostRunning).toBe(1);
});

test("a task's time runs out while it runs", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit({ timeoutMs: 1_000 });
  const { token, deadlineAt } = worker.last;
  expect(deadlineAt).toBe(rig.clock.now() + 1_000);
  await rig.advance(1_000);
  const error = await errorOf(rig.service.result({ id }));
  expect(error.code).toBe("task-timed-out");
  expect(error.data).toMatchObject({ error: { name: "TimeoutError", code: "timed-out" } });
  expect(worker.cancellations).toMatchObject([{ token }]);
  expect(await worker.complete(1)).toEqual({ answer: "late" });
  expect(await worker.complete(1, token)).toEqual({ answer: "late" });
  expect((await rig.types(id)).filter((type) => type === "attempt.late")).toHaveLength(1);
});

test("a task's time runs out during a backoff", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const retry = { maxAttempts: 5, backoff: "fixed", minMs: 600 } as const;
  const id = await rig.submit({ timeoutMs: 1_000, retry });
  await worker.fail();
  expect(await rig.status(id)).toBe("waiting");
  // The worker is busy elsewhere when the backoff ends, so that the time runs out in the queue.
  await rig.submit();
  await rig.advance(700);
  expect(await rig.status(id)).toBe("ready");
  await rig.advance(400);
  expect(await rig.get(id)).toMatchObject({ status: "failed", error: { code: "timed-out" } });
  expect(await rig.service.doctor()).toEqual({ findings: [] });
});

test("a retry that could not begin in time is not waited for", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const retry = { maxAttempts: 5, backoff: "fixed", minMs: 1_500 } as const;
  const id = await rig.submit({ timeoutMs: 1_000, retry });
  await worker.fail({ message: "the reason" });
  expect(await rig.get(id)).toMatchObject({ status: "failed", error: { message: "the reason" } });
});

test("a task's time begins with its first assignment", async () => {
  await using rig = await EngineRig.start();
  const id = await rig.submit({ timeoutMs: 1_000 });
  await rig.advance(5_000);
  expect(await rig.status(id)).toBe("ready");
  const worker = await rig.worker();
  await rig.settle();
  expect(worker.last.deadlineAt).toBe(rig.clock.now() + 1_000);
});

test("an assignment says how long is left by the database's clock, not by its node's", async () => {
  await using rig = await EngineRig.start();
  const { clock } = rig;
  const node = await rig.join({ clock: { ...clock, now: () => clock.now() + 40_000 } });
  const worker = await rig.worker({}, node);
  await rig.submit({ attemptTimeoutMs: 1_000 }, node);
  await rig.settle();
  expect(worker.last).toMatchObject({ deadlineAt: clock.now() + 1_000, deadlineInMs: 1_000 });
});

test("a deadline farther off than the platform's timers reach does not come early", async () => {
  await using rig = await EngineRig.start();
  const day = 24 * 3_600_000;
  const { clock } = rig;
  const longest = 2 ** 31 - 1;
  const node = await rig.join({
    clock: { ...clock, after: (delayMs, ring) => clock.after(Math.min(delayMs, longest), ring) },
    nodeLeaseMs: 400 * day,
    workerLeaseMs: 400 * day,
  });
  await rig.worker({}, node);
  const id = await rig.submit({ attemptTimeoutMs: 60 * day }, node);
  await clock.stall(59 * day);
  expect(await rig.status(id)).toBe("running");
  await clock.stall(2 * day);
  expect(await rig.status(id)).toBe("failed");
});

test("a deadline is kept by whoever owns the task next", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ name: "w" });
  const id = await rig.submit({ attemptTimeoutMs: 30_000 });
  const other = await rig.join();
  rig.node.crash();
  await worker.registerOn(other.service, { name: "w" });
  expect(worker.link.registered.keep).toEqual([worker.last.token]);
  for (let second = 0; second < 30; second += 2) {
    await rig.advance(2_000);
    await worker.beat();
  }
  expect(await other.service.get({ id })).toMatchObject({
    status: "failed",
    error: { code: "attempt-timed-out" },
  });
});
