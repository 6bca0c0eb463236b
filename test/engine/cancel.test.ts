import { describe, expect, test } from "vitest";
import { cancelGraceMs } from "../../runtime/engine/policy.ts";
import { EngineRig } from "../support/engine-rig.ts";
import { errorOf } from "../support/outcome.ts";
import { quarantine } from "../support/poison.ts";

describe("a task is cancelled", () => {
  test("while it waits for its start", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit({ startAt: rig.clock.now() + 5_000 });
    const answer = await rig.service.cancel({ id, reason: "not needed" });
    expect(answer).toEqual({ status: "cancelled", accepted: true });
    await rig.advance(6_000);
    expect(worker.assignments).toEqual([]);
    const error = await errorOf(rig.service.result({ id }));
    expect(error.code).toBe("task-cancelled");
    expect(error.data).toMatchObject({ task: id, error: { message: "not needed" } });
    expect(await rig.service.doctor()).toEqual({ findings: [] });
  });

  test("while it waits for its next attempt", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit({ retry: { maxAttempts: 3 }, timeoutMs: 60_000 });
    await worker.fail();
    expect(await rig.service.cancel({ id })).toEqual({ status: "cancelled", accepted: true });
    await rig.live(62_000, worker);
    expect(worker.assignments).toHaveLength(1);
    expect(await rig.service.doctor()).toEqual({ findings: [] });
  });

  test("while it stands in the queue", async () => {
    await using rig = await EngineRig.start();
    const id = await rig.submit();
    expect(await rig.service.cancel({ id })).toEqual({ status: "cancelled", accepted: true });
    const worker = await rig.worker();
    await rig.advance(2_000);
    expect(worker.assignments).toEqual([]);
  });

  test("after it was claimed and before it has a slot", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ slots: 3 });
    for (let task = 0; task < 3; task += 1) await rig.submit({ input: task });
    const ids = [await rig.submit({ input: 3 }), await rig.submit({ input: 4 })];
    // Two slots that come free together make the claim fetch ahead.
    const [first, second] = [...worker.running.keys()];
    await Promise.all([worker.complete(0, first), worker.complete(0, second)]);
    await Promise.all(ids.map((id) => rig.service.cancel({ id })));
    await rig.settle();
    for (const id of ids) expect(["cancelling", "cancelled"]).toContain(await rig.status(id));
    expect(await rig.service.doctor()).toEqual({ findings: [] });
  });

  test("while it runs, and its worker stops in time", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    const { token } = worker.last;
    const answer = await rig.service.cancel({ id, reason: "stop it" });
    expect(answer).toEqual({ status: "cancelling", accepted: true });
    expect(worker.cancellations).toEqual([{ token, reason: "stop it", graceMs: cancelGraceMs }]);
    expect(await worker.beat()).toEqual({ keep: [token], drop: [] });
    expect(await worker.fail({ name: "AbortError" })).toEqual({ answer: "late" });
    expect(await rig.status(id)).toBe("cancelled");
    expect(await rig.eventsOf(id, "attempt.cancelled")).toEqual([{ token, forced: false }]);
    expect(await worker.fail({}, token)).toEqual({ answer: "late" });
    expect(await rig.types(id)).not.toContain("attempt.late");
    await rig.submit({ input: "next" });
    expect(worker.last.input).toBe("next");
  });

  test("while it runs, and completes all the same: too late", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    await rig.service.cancel({ id });
    expect(await worker.complete("done")).toEqual({ answer: "late" });
    const task = await rig.get(id);
    expect(task.status).toBe("cancelled");
    expect(task).not.toHaveProperty("output");
  });

  test("by force when its worker does not stop in time; the slot stays taken", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    const { token } = worker.last;
    await rig.service.cancel({ id });
    await rig.submit({ input: "next" });
    await rig.live(cancelGraceMs - 200, worker);
    expect(await rig.status(id)).toBe("cancelling");
    await rig.advance(200);
    expect(await rig.status(id)).toBe("cancelled");
    expect(await rig.eventsOf(id, "attempt.cancelled")).toEqual([{ token, forced: true }]);
    expect(await worker.beat()).toEqual({ keep: [], drop: [token] });
    expect(worker.assignments).toHaveLength(1);
    expect(await worker.complete(1)).toEqual({ answer: "late" });
    expect(await worker.complete(1, token)).toEqual({ answer: "late" });
    expect(await rig.eventsOf(id, "attempt.late")).toEqual([{ token, outcome: "succeeded" }]);
    await rig.settle();
    expect(worker.last.input).toBe("next");
    expect(worker.mostRunning).toBe(1);
    expect(await rig.service.doctor()).toEqual({ findings: [] });
  });

  test("when it is quarantined", async () => {
    await using rig = await EngineRig.start();
    const id = await quarantine(rig);
    expect(await rig.service.cancel({ id })).toEqual({ status: "cancelled", accepted: true });
    expect((await errorOf(rig.service.result({ id }))).code).toBe("task-cancelled");
  });
});

test.each(["tasks.acquire", "mail.post"] as const)(
  "a cancel is to be asked for again when the store fails at %s",
  async (call) => {
    await using rig = await EngineRig.start();
    await rig.worker();
    const id = await rig.submit();
    const other = await rig.join();
    other.store.failNext(call);
    const error = await errorOf(other.service.cancel({ id }));
    expect([error.code, error.retryable]).toEqual(["busy", true]);
    expect(await other.service.cancel({ id })).toMatchObject({ accepted: true });
  },
);

test("a second cancel is accepted while the first one goes on", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit();
  const both = [rig.service.cancel({ id, reason: "a" }), rig.service.cancel({ id, reason: "b" })];
  const accepted = { status: "cancelling", accepted: true };
  expect(await Promise.all(both)).toEqual([accepted, accepted]);
  expect(await rig.service.cancel({ id, reason: "c" })).toEqual(accepted);
  expect(worker.cancellations).toHaveLength(1);
  expect(await rig.eventsOf(id, "task.cancelRequested")).toMatchObject([{ reason: "a" }]);
});

test.each(["succeeded", "failed", "cancelled"])("a task that %s is not cancelled", async (end) => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit();
  if (end === "succeeded") await worker.complete();
  else if (end === "failed") await worker.fail();
  else {
    await rig.service.cancel({ id });
    await worker.complete();
  }
  const before = await rig.types(id);
  expect(await rig.service.cancel({ id })).toEqual({ status: end, accepted: false });
  expect(await rig.types(id)).toEqual(before);
});

test("cancel and completion race by commit: one wins and the other is told", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit();
  const [recorded, cancelled] = await Promise.all([
    worker.complete("first"),
    rig.service.cancel({ id }),
  ]);
  expect(recorded).toEqual({ answer: "recorded" });
  expect(cancelled).toEqual({ status: "succeeded", accepted: false });

  const other = await rig.submit();
  const { token } = worker.last;
  const [late, accepted] = await Promise.all([
    rig.service.cancel({ id: other }).then(() => worker.complete("second", token)),
    rig.service.get({ id: other }),
  ]);
  expect(late).toEqual({ answer: "late" });
  expect(accepted.status).toBe("running");
  expect(await rig.status(other)).toBe("cancelled");
});

test("a worker that dies under a task that is being cancelled ends it", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit();
  await rig.service.cancel({ id });
  worker.link.detach();
  await rig.advance(5_000);
  expect(await rig.status(id)).toBe("cancelled");
  expect(await rig.service.doctor()).toEqual({ findings: [] });
});

test("a cancel by key finds the task", async () => {
  await using rig = await EngineRig.start();
  const id = await rig.submit({ idempotencyKey: "k" });
  expect(await rig.service.cancel({ key: "k" })).toEqual({ status: "cancelled", accepted: true });
  expect(await rig.status(id)).toBe("cancelled");
});

test("letters of a kind that this node does not know cancel nothing, stay, and hold up no other", async () => {
  await using rig = await EngineRig.start();
  const startAt = rig.clock.now() + 60_000;
  const strange = Array.from({ length: 250 }, () => rig.entropy.id());
  const id = await rig.submit({ startAt });
  for (const letter of strange) {
    await rig.store.mail.post({ id: letter, actor: id, message: '{"type":"signal"}' });
  }
  const cancelled = await rig.submit({ startAt });
  const message = '{"type":"cancel","reason":"enough"}';
  await rig.store.mail.post({ id: rig.entropy.id(), actor: cancelled, message });
  await rig.advance(5_000);
  expect((await rig.get(cancelled)).status).toBe("cancelled");
  expect((await rig.get(id)).status).toBe("waiting");
  expect(await rig.types(id)).toEqual(["task.submitted"]);
  expect(rig.node.store.countOf("mail.collect")).toBeLessThan(20);
  const { incarnation } = rig.node.engine.life;
  const left = await rig.store.mail.collect(incarnation, 1_000, []);
  expect(left.map(({ letter }) => letter.id)).toEqual(strange);
});
