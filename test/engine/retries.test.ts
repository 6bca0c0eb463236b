import { describe, expect, test } from "vitest";
import { drawRetryDelay, mergePolicy } from "../../runtime/engine/policy.ts";
import { EngineRig } from "../support/engine-rig.ts";
import { createSeededEntropy } from "../support/seeded-entropy.ts";

const fixed = { maxAttempts: 3, backoff: "fixed", minMs: 400 } as const;

test("a failed task is tried again until its attempts are used up", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit({ retry: fixed });
  for (const attempt of [1, 2, 3]) {
    expect(worker.last).toMatchObject({ task: id, attempt });
    await worker.fail({ message: `failure ${attempt}` });
    await rig.advance(400);
  }
  expect(worker.assignments).toHaveLength(3);
  expect(await rig.get(id)).toMatchObject({ status: "failed", error: { message: "failure 3" } });
});

test("each attempt has a token of its own and the task's one idempotency key", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit({ retry: fixed });
  await worker.fail();
  await rig.advance(400);
  await worker.fail();
  await rig.advance(400);
  expect(new Set(worker.assignments.map(({ token }) => token)).size).toBe(3);
  expect(worker.assignments.map(({ idempotencyKey }) => idempotencyKey)).toEqual([id, id, id]);
});

test("without a policy a failure is the end", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit();
  await worker.fail();
  expect(await rig.status(id)).toBe("failed");
});

test("a failure that says so is not tried again", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit({ retry: fixed });
  await worker.fail({ retryable: false });
  expect(await rig.status(id)).toBe("failed");
});

test("a success after failures leaves no error behind", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit({ retry: fixed });
  await worker.fail();
  expect((await rig.get(id)).waitingFor).toMatchObject({ reason: "backoff" });
  await rig.advance(400);
  await worker.complete(1);
  const task = await rig.get(id);
  expect(task).toMatchObject({ status: "succeeded", attempt: 2 });
  expect(task).not.toHaveProperty("error");
});

test("a retry waits as long as its event says, and its slot serves others meanwhile", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit({ retry: { maxAttempts: 2, minMs: 2_000 } });
  const failedAt = rig.clock.now();
  await worker.fail();
  const [failure] = await rig.eventsOf(id, "attempt.failed");
  const retryAt = Number(failure?.["retryAt"]);
  expect(retryAt).toBeGreaterThanOrEqual(failedAt + 2_000);
  const other = await rig.submit();
  expect(worker.last.task).toBe(other);
  await worker.complete();
  await rig.advance(retryAt - rig.clock.now() - 10);
  expect(worker.last.task).toBe(other);
  await rig.advance(20);
  expect(worker.last).toMatchObject({ task: id, attempt: 2 });
});

test("the event of the last failure tells of no retry", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const attemptsUsed = await rig.submit({ retry: { maxAttempts: 1 } });
  await worker.fail();
  const notRetryable = await rig.submit({ retry: { maxAttempts: 5 } });
  await worker.fail({ name: "E", message: "no", retryable: false });
  const tooLate = await rig.submit({ retry: { maxAttempts: 5, minMs: 2_000 }, timeoutMs: 1_000 });
  await worker.fail();
  for (const id of [attemptsUsed, notRetryable, tooLate]) {
    const [failure] = await rig.eventsOf(id, "attempt.failed");
    expect(failure).toBeDefined();
    expect(failure).not.toHaveProperty("retryAt");
  }
});

describe("drawn delays", () => {
  const policy = mergePolicy({ retry: { maxAttempts: 9, minMs: 100, maxMs: 1_000 } }, undefined);
  const entropy = createSeededEntropy();

  test.each([
    [1, 200],
    [2, 400],
    [3, 800],
    [4, 1_000],
    [50, 1_000],
  ])("after %i failures lie between the least and %i ms, and reach both ends", (failures, most) => {
    entropy.fix(0);
    expect(drawRetryDelay(policy, failures, entropy)).toBe(100);
    entropy.fix(1 - 2 ** -30);
    expect(drawRetryDelay(policy, failures, entropy)).toBe(most);
    entropy.fix(null);
    for (let draws = 0; draws < 100; draws += 1) {
      const delay = drawRetryDelay(policy, failures, entropy);
      expect(delay).toBeGreaterThanOrEqual(100);
      expect(delay).toBeLessThanOrEqual(most);
    }
  });

  test("are what they are when fixed", () => {
    const alike = mergePolicy({ retry: { backoff: "fixed", minMs: 700 } }, undefined);
    expect([1, 2, 9].map((failures) => drawRetryDelay(alike, failures, entropy))).toEqual([
      700, 700, 700,
    ]);
  });
});

test("a crowd that failed together does not come back together, not even the first time", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ slots: 20 });
  const ids: string[] = [];
  for (let task = 0; task < 20; task += 1) {
    ids.push(await rig.submit({ retry: { maxAttempts: 2, minMs: 1_000 } }));
  }
  await Promise.all([...worker.running.keys()].map((token) => worker.fail({}, token)));
  const failures = await Promise.all(ids.map((id) => rig.eventsOf(id, "attempt.failed")));
  const retryAts = new Set(failures.map(([failure]) => failure?.["retryAt"]));
  expect(retryAts.size).toBeGreaterThan(10);
});

test("the submit's policy goes before the definition's, member by member, and stays", async () => {
  await using rig = await EngineRig.start();
  const defined = { maxAttempts: 5, minMs: 300, backoff: "fixed" } as const;
  const definitions = [{ name: "job", retry: defined, timeoutMs: 90_000 }];
  const worker = await rig.worker({ name: "w", definitions });
  const id = await rig.submit({ retry: { maxAttempts: 2 }, attemptTimeoutMs: 50_000 });
  const [first] = await rig.eventsOf(id, "attempt.assigned");
  expect(first?.["policy"]).toEqual({
    maxAttempts: 2,
    backoff: "fixed",
    minMs: 300,
    maxMs: 60_000,
    timeoutMs: 90_000,
    attemptTimeoutMs: 50_000,
  });
  await worker.fail();
  const relaxed = [{ name: "job", retry: { maxAttempts: 99 } }];
  await worker.registerOn(rig.service, { name: "w", definitions: relaxed });
  await rig.advance(300);
  const [, second] = await rig.eventsOf(id, "attempt.assigned");
  expect(second).toMatchObject({ attempt: 2 });
  expect(second).not.toHaveProperty("policy");
  await worker.fail();
  expect(await rig.status(id)).toBe("failed");
});

test("a definition's policy applies to a submit that says nothing", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker({ definitions: [{ name: "job", retry: fixed }] });
  const id = await rig.submit();
  await worker.fail();
  expect(await rig.status(id)).toBe("waiting");
});

test("an old attempt's report, sent again after the next ones ended, is still recorded", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit({ retry: fixed });
  const first = worker.last.token;
  await worker.fail();
  await rig.advance(400);
  await worker.fail();
  expect(await worker.fail({}, first)).toEqual({ answer: "recorded" });
  await rig.advance(400);
  expect(await worker.fail({}, first)).toEqual({ answer: "recorded" });
  expect(worker.last).toMatchObject({ task: id, attempt: 3 });
  await worker.complete();
  expect(await worker.fail({}, first)).toEqual({ answer: "recorded" });
  expect(await rig.types(id)).not.toContain("attempt.late");
  await rig.settle();
  expect(rig.node.engine.life.directory.size).toBe(0);
});

test("a task in the queue stays there when an old attempt is reported again", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  const id = await rig.submit({ retry: { maxAttempts: 9, backoff: "fixed", minMs: 100 } });
  const first = worker.last.token;
  await worker.fail();
  await rig.advance(100);
  await worker.fail();
  await rig.submit({ input: "in the way" });
  await rig.advance(200);
  expect(await rig.status(id)).toBe("ready");
  expect(await worker.fail({}, first)).toEqual({ answer: "recorded" });
  await worker.complete(null, worker.last.token);
  await rig.live(2_000, worker);
  expect(worker.last).toMatchObject({ task: id, attempt: 3 });
  expect(await rig.service.doctor()).toEqual({ findings: [] });
});
