import { expect, test } from "vitest";
import type { TaskError } from "../../sdk/protocol/task.ts";
import { EngineRig } from "../support/engine-rig.ts";
import { errorOf, watch } from "../support/outcome.ts";

test("a task runs: submitted, assigned, succeeded, and the caller has its output", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const result = rig.service.run({ definition: "job", input: { n: 1 } });
  await rig.settle();
  expect(worker.last).toMatchObject({
    attempt: 1,
    definition: "job",
    input: { n: 1 },
    journal: [],
    labels: {},
    metadata: {},
  });
  expect(worker.last.idempotencyKey).toBe(worker.last.task);
  expect(await worker.complete({ done: true })).toEqual({ answer: "recorded" });
  const id = worker.last.task;
  expect(await result).toEqual({ id, status: "succeeded", output: { done: true } });
  expect(await rig.types(id)).toEqual(["task.submitted", "attempt.assigned", "attempt.succeeded"]);
  expect(await rig.get(id)).toMatchObject({
    status: "succeeded",
    attempt: 1,
    output: { done: true },
  });
  expect(await rig.service.doctor()).toEqual({ findings: [] });
});

test.each([
  ["null", null],
  ["undefined", undefined],
])("an output that is %s is null", async (_name, output) => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit();
  await worker.complete(output);
  expect(await rig.service.result({ id })).toEqual({ id, status: "succeeded", output: null });
  expect(await rig.get(id)).toMatchObject({ output: null });
});

test("a failure carries its error to whoever waits", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const result = errorOf(rig.service.run({ definition: "job" }));
  await rig.settle();
  const failure = { name: "RangeError", message: "too far", code: "E_FAR", data: { by: 3 } };
  expect(await worker.fail(failure)).toEqual({ answer: "recorded" });
  const error = await result;
  const task = worker.last.task;
  expect(error.code).toBe("task-failed");
  expect(error.data).toEqual({ task, status: "failed", error: failure });
  expect(await rig.get(task)).toMatchObject({ status: "failed", error: failure });
  expect((await errorOf(rig.service.result({ id: task }))).data).toEqual(error.data);
});

test("a result that is asked for too early gives the status, and later the output", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit();
  const early = rig.service.result({ id, waitMs: 500 });
  await rig.advance(600);
  expect(await early).toEqual({ id, status: "running" });
  await worker.complete(7);
  expect(await rig.service.result({ id, waitMs: 0 })).toEqual({
    id,
    status: "succeeded",
    output: 7,
  });
});

test("a wait of nothing looks once", async () => {
  await using rig = await EngineRig.start();
  const run = rig.service.run({ definition: "nobody-serves-it", waitMs: 0 });
  await rig.advance(100);
  expect(await run).toMatchObject({ status: "ready" });
});

test("a report that is sent again is recorded once and answered alike", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit();
  const answers = await Promise.all([worker.complete(1), worker.complete(1)]);
  answers.push(await worker.complete(1));
  expect(answers).toEqual(Array(3).fill({ answer: "recorded" }));
  expect(await rig.types(id)).toHaveLength(3);
  expect(await worker.fail()).toEqual({ answer: "recorded" });
  expect(await rig.status(id)).toBe("succeeded");
});

test("a token that nobody ever had is refused, and writes nothing", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit();
  await worker.complete(1);
  const waiting = await rig.submit({ startAt: rig.clock.now() + 60_000 });
  const codeOf = async (token: string, service = rig.service) =>
    (await errorOf(service.complete({ token }))).code;
  expect(await codeOf("made up")).toBe("invalid-params");
  for (const task of [rig.entropy.id(), id, waiting]) {
    expect(await codeOf(`${task}.1.abc`)).toBe("not-found");
    expect(await codeOf(`${task}.1.abd`)).toBe("not-found");
  }
  expect(await rig.types(id)).toHaveLength(3);
  expect(await rig.types(waiting)).toHaveLength(1);
});

test("attempts and workers of one namespace cannot be spoken for from another", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit();
  const { token } = worker.last;
  const other = rig.node.serviceOf("other");
  const answers = [
    other.complete({ token, output: 1 }),
    other.fail({ token, error: { name: "E", message: "m" } }),
    other.refuse({ token, reason: "no" }),
    other.recordStep({ token, step: "a", occurrence: 1, output: 1 }),
    other.heartbeat({ worker: worker.id, attempts: [] }),
    other.drainWorker({ worker: worker.id }),
  ];
  for (const answer of answers) expect((await errorOf(answer)).code).toBe("not-found");
  await other.progress({ token, progress: 1 });
  expect(await other.suspend({ token })).toEqual({ accepted: false });
  expect(await rig.types(id)).toEqual(["task.submitted", "attempt.assigned"]);
  expect(await worker.complete(2)).toEqual({ answer: "recorded" });
});

test("reports of two attempts that are over, sent again and again, are noted once each", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ slots: 5 });
  const id = await rig.submit({ retry: { maxAttempts: 5, minMs: 1 }, attemptTimeoutMs: 1_000 });
  const tokens: string[] = [];
  for (let attempt = 0; attempt < 2; attempt += 1) {
    tokens.push(worker.last.token);
    await rig.live(3_000, worker);
  }
  for (let times = 0; times < 3; times += 1) {
    for (const token of tokens) {
      expect(await rig.service.complete({ token })).toEqual({ answer: "late" });
    }
  }
  expect((await rig.types(id)).filter((type) => type === "attempt.late")).toHaveLength(2);
});

test("a task is invisible from another namespace", async () => {
  await using rig = await EngineRig.start();
  const id = await rig.submit();
  const other = rig.node.serviceOf("other");
  expect((await errorOf(other.get({ id }))).code).toBe("not-found");
  expect((await errorOf(other.cancel({ id }))).code).toBe("not-found");
  expect((await other.list({})).tasks).toEqual([]);
  const worker = await rig.worker();
  await rig.settle();
  expect(worker.assignments).toHaveLength(1);
});

test("a worker of one namespace is not given another's tasks", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  await rig.node.serviceOf("other").submit({ definition: "job" });
  await rig.advance(2_000);
  expect(worker.assignments).toEqual([]);
});

test("what a task waits for is said in words", async () => {
  await using rig = await EngineRig.start();
  const unserved = await rig.submit();
  expect((await rig.get(unserved)).waitingFor).toMatchObject({ reason: "no-worker" });
  const later = await rig.submit({ startAt: rig.clock.now() + 1_000 });
  expect((await rig.get(later)).waitingFor).toMatchObject({ reason: "start-time" });
  const worker = await rig.worker();
  await rig.settle();
  const second = await rig.submit();
  expect((await rig.get(second)).waitingFor).toMatchObject({
    reason: "full-workers",
    data: { slots: 1, queued: 1 },
  });
  expect((await rig.get(worker.last.task)).waitingFor).toBeUndefined();
});

test("a start in the future waits for its instant and not longer", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit({ startAt: rig.clock.now() + 3_000 });
  expect(await rig.status(id)).toBe("waiting");
  await rig.advance(2_900);
  expect(worker.assignments).toEqual([]);
  await rig.advance(200);
  expect(worker.last.task).toBe(id);
  expect(await rig.types(id)).toEqual(["task.submitted", "task.readied", "attempt.assigned"]);
});

test("a start in the past is now", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit({ startAt: 0 });
  expect(worker.last.task).toBe(id);
});

test("tasks that were submitted before any worker run when one comes, in order", async () => {
  await using rig = await EngineRig.start();
  for (const input of [1, 2, 3]) await rig.submit({ input });
  const worker = await rig.worker({ slots: 3 });
  await rig.settle();
  expect(worker.inputs).toEqual([1, 2, 3]);
});

test("nothing is left in memory when all is done", async () => {
  await using rig = await EngineRig.start();
  const alarmsBefore = rig.clock.alarmCount;
  const worker = await rig.worker({ slots: 2 });
  const runs = [1, 2, 3, 4].map((input) =>
    rig.service.run({ definition: "job", input, attemptTimeoutMs: 60_000, waitMs: 60_000 }),
  );
  const seen = watch(Promise.all(runs));
  while (seen.value === undefined) {
    await rig.settle();
    for (const token of [...worker.running.keys()]) await worker.complete(token, token);
  }
  await rig.advance(1_000);
  const { life, audience } = rig.node.engine;
  expect(life.directory.size).toBe(0);
  expect(audience.attended()).toEqual([]);
  expect(life.pool.get(worker.id)?.holdings.size).toBe(0);
  expect(rig.clock.alarmCount).toBe(alarmsBefore);
});

test("a wait ends with whoever listened, and the task goes on", async () => {
  await using rig = await EngineRig.start();
  let leave = (): void => {};
  const listener = {
    whenGone: (act: () => void) => {
      leave = act;
      return () => {};
    },
  };
  const running = errorOf(rig.service.run({ definition: "job" }, listener));
  await rig.settle();
  expect(rig.node.engine.audience.attended()).toHaveLength(1);
  leave();
  expect((await running).code).toBe("deadline-exceeded");
  expect(rig.node.engine.audience.attended()).toEqual([]);
  const worker = await rig.worker();
  await rig.settle();
  expect(worker.assignments).toHaveLength(1);
});

test("a doctor whose listener has gone ends, and takes nothing for healthy", async () => {
  await using rig = await EngineRig.start();
  const gone = {
    whenGone: (act: () => void) => {
      act();
      return () => {};
    },
  };
  expect((await errorOf(rig.service.doctor(gone))).code).toBe("deadline-exceeded");
  expect(await rig.service.doctor()).toEqual({ findings: [] });
});

test("an error from a worker is kept within its bounds", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit();
  const nested = (depth: number): TaskError => ({
    name: "E",
    message: "m".repeat(3_000),
    stack: "line\n".repeat(100),
    ...(depth === 0 ? {} : { cause: nested(depth - 1) }),
  });
  await worker.fail({ ...nested(2), retryable: false });
  const { error } = await rig.get(id);
  expect(Buffer.byteLength(error?.message ?? "")).toBeLessThanOrEqual(1_024);
  expect(error?.stack?.split("\n").length).toBeLessThanOrEqual(50);
  expect(Buffer.byteLength(error?.cause?.cause?.message ?? "")).toBeLessThanOrEqual(1_024);
});
