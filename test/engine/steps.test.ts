import { describe, expect, test } from "vitest";
import { limits } from "../../sdk/protocol/limits.ts";
import { EngineRig } from "../support/engine-rig.ts";
import { errorOf } from "../support/outcome.ts";
import type { ScriptedWorker } from "../support/scripted-worker.ts";

const retry = { maxAttempts: 9, backoff: "fixed", minMs: 100 } as const;

async function failAndRetry(rig: EngineRig, worker: ScriptedWorker): Promise<void> {
  await worker.fail();
  await rig.advance(200);
}

test("steps are in the journal, and in the assignment of the next attempt, in order", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit({ retry });
  expect(await worker.step("charge", { paid: 1 })).toEqual({ answer: "recorded" });
  expect(await worker.step("mail", null)).toEqual({ answer: "recorded" });
  expect(await worker.step("charge", { paid: 2 }, 2)).toEqual({ answer: "recorded" });
  const { token } = worker.last;
  await failAndRetry(rig, worker);
  const step = { type: "step.recorded", at: expect.any(Number) };
  expect(worker.last).toMatchObject({ task: id, attempt: 2 });
  expect(worker.last.journal).toEqual([
    { ...step, seq: 3, data: { token, step: "charge", occurrence: 1, output: { paid: 1 } } },
    { ...step, seq: 4, data: { token, step: "mail", occurrence: 1, output: null } },
    { ...step, seq: 5, data: { token, step: "charge", occurrence: 2, output: { paid: 2 } } },
  ]);
  expect(worker.last).not.toHaveProperty("journalNext");
});

test("a step's error is recorded as it was", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  await rig.submit({ retry });
  const error = { name: "E", message: "declined" };
  const { token } = worker.last;
  await rig.service.recordStep({ token, step: "charge", occurrence: 1, error });
  await failAndRetry(rig, worker);
  expect(worker.last.journal[0]?.data).toEqual({ token, step: "charge", occurrence: 1, error });
});

test("a step that is recorded again is answered alike and stands there once", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit({ retry });
  const recorded = { answer: "recorded" };
  expect(await Promise.all([worker.step("a", 1), worker.step("a", 1)])).toEqual([
    recorded,
    recorded,
  ]);
  expect(await worker.step("a", 1)).toEqual(recorded);
  await failAndRetry(rig, worker);
  expect(await worker.step("a", 1)).toEqual(recorded);
  const other = await errorOf(worker.step("a", 2));
  expect([other.code, other.data]).toEqual(["conflict", { task: id, step: "a", occurrence: 1 }]);
  expect(await rig.eventsOf(id, "step.recorded")).toMatchObject([{ step: "a", output: 1 }]);
});

test("a step of an attempt that is over is late", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit({ retry });
  const { token } = worker.last;
  await failAndRetry(rig, worker);
  expect(await worker.step("a", 1, 1, token)).toEqual({ answer: "late" });
  await worker.complete();
  expect(await worker.step("a", 1, 1, token)).toEqual({ answer: "late" });
  expect(await worker.step("a", 1)).toEqual({ answer: "late" });
  expect(await rig.types(id)).not.toContain("step.recorded");
  await rig.settle();
  expect(rig.node.engine.life.directory.size).toBe(0);
});

describe("a step of a lost attempt, with another outcome than is recorded, does not keep its task", () => {
  /** The task's next attempt, after it has recorded the step. */
  async function overtake(rig: EngineRig): Promise<ScriptedWorker> {
    await rig.worker({ name: "w" });
    await rig.submit({ retry });
    const next = await rig.worker({ name: "w", instance: "instance-2" });
    await rig.settle();
    await next.step("a", 2);
    return next;
  }

  async function sendLate(rig: EngineRig, task: string): Promise<void> {
    const [assigned] = await rig.eventsOf(task, "attempt.assigned");
    const record = { token: String(assigned?.["token"]), step: "a", occurrence: 1, output: 1 };
    expect((await errorOf(rig.service.recordStep(record))).code).toBe("conflict");
    await rig.settle();
  }

  test("here when it has ended", async () => {
    await using rig = await EngineRig.start();
    const worker = await overtake(rig);
    await worker.complete();
    await sendLate(rig, worker.last.task);
    expect(rig.node.engine.life.directory.size).toBe(0);
    const [row] = await rig.store.tasks.readMany([worker.last.task]);
    expect(row).toMatchObject({ status: "succeeded", owner: null });
  });

  test("out of the queue", async () => {
    await using rig = await EngineRig.start();
    const worker = await overtake(rig);
    const { task } = worker.last;
    await worker.fail();
    await rig.submit({ input: "next" });
    await rig.advance(200);
    expect(await rig.status(task)).toBe("ready");
    await sendLate(rig, task);
    await worker.complete();
    await rig.advance(2_000);
    expect(worker.last).toMatchObject({ task, attempt: 3 });
  });
});

test("a step that cannot be compared with what is recorded does not keep its task out of the queue", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit({ retry });
  const { token } = worker.last;
  await worker.step("a", 1);
  await worker.fail();
  await rig.submit({ input: "next" });
  await rig.advance(200);
  expect(await rig.status(id)).toBe("ready");
  const letGo = rig.node.store.holdAnswers("tasks.acquire");
  const answer = errorOf(worker.step("b", 1, 1, token));
  await rig.settle();
  rig.node.store.failNext("journal.readType");
  letGo();
  expect((await answer).code).toBe("busy");
  await worker.complete();
  await rig.advance(2_000);
  expect(worker.last).toMatchObject({ task: id, attempt: 2 });
});

test("a step is still recorded while its attempt cleans up", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit();
  await rig.service.cancel({ id });
  expect(await worker.step("undo", 1)).toEqual({ answer: "recorded" });
});

test("steps are known again on the node that adopts the task", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ name: "w" });
  const id = await rig.submit({ retry });
  await worker.step("a", 1);
  const other = await rig.join();
  rig.node.crash();
  await worker.registerOn(other.service, { name: "w" });
  const { token } = worker.last;
  const answers = await Promise.all([
    worker.step("a", 1),
    worker.step("b", 2),
    worker.step("b", 2),
  ]);
  expect(answers).toEqual(Array(3).fill({ answer: "recorded" }));
  expect(worker.last.token).toBe(token);
  expect(await rig.eventsOf(id, "step.recorded")).toMatchObject([
    { step: "a", output: 1 },
    { step: "b", output: 2 },
  ]);
});

test("a task that was taken over goes on behind the steps that its row does not know of", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ name: "w" });
  const id = await rig.submit({ retry });
  for (const step of ["a", "b", "c"]) await worker.step(step, 1);
  const [row] = await rig.store.tasks.readMany([id]);
  expect(row?.seq).toBe(2);
  const other = await rig.join();
  rig.node.crash();
  await worker.registerOn(other.service, { name: "w" });
  await worker.step("d", 1);
  await worker.complete(7);
  expect(await rig.status(id)).toBe("succeeded");
  const events = await rig.store.journal.read(id, 0, 100);
  expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(await rig.store.doctor()).toEqual([]);
});

test("a row is written again before its tail grows long", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit();
  for (let occurrence = 1; occurrence <= 70; occurrence += 1) {
    await worker.step("a", 1, occurrence);
  }
  const [row] = await rig.store.tasks.readMany([id]);
  expect(row?.seq).toBe(2 + 65);
});

test.each([
  ["step", { step: "no spaces" }],
  ["occurrence", { occurrence: 0 }],
  ["occurrence", { occurrence: 1.5 }],
])("a step with a bad %s is refused", async (path, change) => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  await rig.submit();
  const record = { token: worker.last.token, step: "a", occurrence: 1, output: 1, ...change };
  const error = await errorOf(rig.service.recordStep(record));
  expect(error).toMatchObject({ code: "invalid-params", data: { path } });
});

test("more journal than an assignment carries is read with events", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit({ retry });
  const large = "x".repeat(200 * 1024);
  for (let occurrence = 1; occurrence <= 7; occurrence += 1) {
    await worker.step("large", large, occurrence);
  }
  await failAndRetry(rig, worker);
  await rig.settle();
  const { journal, journalNext } = worker.last;
  expect(JSON.stringify(journal).length).toBeLessThan(limits.assignmentJournalBytesMax + 1_024);
  expect(journal).toHaveLength(5);
  expect(journalNext).toBe(journal.at(-1)?.seq);
  const rest = await rig.service.events({ id, after: journalNext ?? 0 });
  const steps = rest.events.filter(({ type }) => type === "step.recorded");
  expect(steps.map(({ data }) => data["occurrence"])).toEqual([6, 7]);
});

test("many small steps all travel", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  await rig.submit({ retry });
  const answers: Promise<unknown>[] = [];
  for (let occurrence = 1; occurrence <= 1_500; occurrence += 1) {
    answers.push(worker.step("small", occurrence, occurrence));
  }
  await Promise.all(answers);
  await failAndRetry(rig, worker);
  const outputs = worker.last.journal.map(({ data }) => data["output"]);
  expect(outputs).toEqual(Array.from({ length: 1_500 }, (_, index) => index + 1));
});

test("an attempt that is replaced while its steps are read is assigned once", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ name: "w" });
  await rig.submit({ retry });
  await worker.step("a", 1);
  const release = rig.node.store.holdAnswers("journal.readType");
  await failAndRetry(rig, worker);
  expect(worker.assignments).toHaveLength(1);
  await worker.registerOn(rig.service, { name: "w" });
  release();
  await rig.settle();
  expect(worker.assignments).toHaveLength(2);
});
