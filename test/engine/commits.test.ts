import { describe, expect, test } from "vitest";
import type { Batch } from "../../runtime/store/turns.ts";
import { EngineRig } from "../support/engine-rig.ts";
import type { CommitFault } from "../support/faulty-store.ts";
import { errorOf, watch } from "../support/outcome.ts";

function holds(batch: Batch, type: string): boolean {
  return batch.turns.some(({ events }) => events.some((event) => event.type === type));
}

function submits(batch: Batch, input: string): boolean {
  return batch.turns.some((turn) => turn.kind === "task" && turn.identity?.input.includes(input));
}

describe.each(["contended", "unknown", "unavailable", "lostAnswer"] satisfies CommitFault[])(
  "a commit that meets %s",
  (fault) => {
    test("is sent again, identical, until it is answered; its caller hears once", async () => {
      await using rig = await EngineRig.start();
      const worker = await rig.worker();
      await rig.submit();
      const { store } = rig.node;
      const before = store.sent.length;
      store.plan({ fault, times: fault === "lostAnswer" ? 1 : 3 });
      let answers = 0;
      const completed = worker.complete(1).finally(() => {
        answers += 1;
      });
      await rig.advance(1_000);
      expect(await completed).toEqual({ answer: "recorded" });
      expect(answers).toBe(1);
      const [first, ...again] = store.sent.slice(before);
      expect(again).toHaveLength(fault === "lostAnswer" ? 1 : 3);
      for (const batch of again) expect(batch).toEqual(first);
      expect(await rig.types(worker.last.task)).toHaveLength(3);
      expect(await rig.service.doctor()).toEqual({ findings: [] });
    });

    test("keeps its actor from turning again until it is resolved", async () => {
      await using rig = await EngineRig.start();
      const worker = await rig.worker();
      const id = await rig.submit();
      rig.node.store.plan({ fault, times: fault === "lostAnswer" ? 1 : 5 });
      const steps = [worker.step("a", 1)];
      await rig.settle();
      const completed = worker.complete(1);
      steps.push(worker.step("b", 2));
      await rig.advance(2_000);
      await Promise.all([...steps, completed]);
      const events = await rig.journal(id);
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
      expect(events.at(-1)?.type).toBe("attempt.succeeded");
    });
  },
);

test("a task that is claimed before the answer to its own submit came is not left behind", async () => {
  await using rig = await EngineRig.start();
  rig.node.store.plan({ fault: "lostAnswer" });
  const submitted = rig.service.submit({ definition: "job" });
  await rig.settle();
  const worker = await rig.worker();
  await rig.live(3_000, worker);
  expect(worker.assignments).toMatchObject([{ task: (await submitted).id }]);
});

describe("during an outage", () => {
  test("a submit is told to come again within a second, and finds its task under its key", async () => {
    await using rig = await EngineRig.start();
    const { store } = rig.node;
    store.plan({ fault: "unavailable", times: 1_000 });
    const submit = { definition: "job", idempotencyKey: "k" };
    const seen = watch(rig.service.submit(submit));
    await rig.advance(1_000);
    expect(seen.error).toMatchObject({ code: "busy", data: { retryAfterMs: expect.any(Number) } });
    expect((await errorOf(rig.service.submit({ definition: "job" }))).code).toBe("busy");
    store.heal();
    await rig.advance(2_000);
    const again = await rig.service.submit(submit);
    expect(again).toMatchObject({ created: false });
    expect((await rig.service.list({})).tasks.map(({ id }) => id)).toEqual([again.id]);
  });

  test("a completion waits and is recorded when the store is back", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    rig.node.store.plan({ fault: "unavailable", times: 1_000 });
    const seen = watch(worker.complete("kept"));
    await rig.advance(5_000);
    expect(seen).toEqual({ value: undefined, error: undefined });
    rig.node.store.heal();
    await rig.advance(2_000);
    expect(seen.value).toEqual({ answer: "recorded" });
    expect(await rig.service.result({ id })).toMatchObject({ output: "kept" });
  });

  test("a run whose task was accepted is answered with the task, never with busy", async () => {
    await using rig = await EngineRig.start();
    const { store } = rig.node;
    const run = { definition: "job", waitMs: 1_000 };
    const alone = watch(rig.service.run(run));
    await rig.settle();
    store.failNext("tasks.readMany", 1_000);
    await rig.advance(1_000);
    expect(alone.value).toEqual({ id: expect.any(String), status: "ready" });
    // Beside another node, where its watch looks for the end.
    store.heal();
    await rig.join();
    await rig.advance(5_000);
    store.failNext("tasks.readMany", 1_000);
    const beside = watch(rig.service.run(run));
    await rig.advance(1_000);
    expect(beside.value).toEqual({ id: expect.any(String), status: "ready" });
    store.heal();
    expect((await rig.service.list({})).tasks).toHaveLength(2);
  });

  test("reads answer busy", async () => {
    await using rig = await EngineRig.start();
    const id = await rig.submit();
    rig.node.store.failNext("tasks.read");
    expect((await errorOf(rig.service.get({ id }))).code).toBe("busy");
    expect(await rig.status(id)).toBe("ready");
  });
});

describe("a guilty turn", () => {
  test.each(["refused", "stale"] as const)("that is %s is found among 400", async (fault) => {
    await using rig = await EngineRig.start();
    const { store } = rig.node;
    store.plan({ fault, times: 1_000, hits: (batch) => submits(batch, "guilty") });
    const before = store.sent.length;
    const outcomes = await Promise.allSettled(
      Array.from({ length: 400 }, (_, index) =>
        rig.service.submit({ definition: "job", input: index === 217 ? "guilty" : "innocent" }),
      ),
    );
    const failed = outcomes.flatMap((outcome, index) =>
      outcome.status === "rejected" ? [{ index, reason: outcome.reason }] : [],
    );
    const code = fault === "refused" ? "internal" : "busy";
    expect(failed).toMatchObject([{ index: 217, reason: { code } }]);
    expect(store.sent.length - before).toBeLessThan(25);
    expect((await rig.service.list({ limit: 1_000 })).tasks).toHaveLength(399);
  });

  test("and its batch are told apart: what takes too long together is halved, then written", async () => {
    await using rig = await EngineRig.start();
    const { store } = rig.node;
    store.plan({ fault: "contended", times: 1_000, hits: ({ turns }) => turns.length > 100 });
    const submits = Promise.all(
      Array.from({ length: 400 }, (_, n) => rig.service.submit({ definition: "job", input: n })),
    );
    await rig.advance(20_000);
    expect(await submits).toHaveLength(400);
    expect((await rig.service.list({ limit: 1_000 })).tasks).toHaveLength(400);
    expect(await rig.service.doctor()).toEqual({ findings: [] });
  });

  test("is not looked for by halves in a batch that may have been written", async () => {
    await using rig = await EngineRig.start();
    const { store } = rig.node;
    store.plan({ fault: "lostAnswer" });
    store.plan({ fault: "contended", times: 12 });
    const submits = Promise.all(
      Array.from({ length: 20 }, (_, n) => rig.service.submit({ definition: "job", input: n })),
    );
    await rig.advance(30_000);
    expect(await submits).toHaveLength(20);
    const again = store.sent.filter(({ turns }) => turns.length === 20);
    expect(again.length).toBe(14);
    expect(new Set(again.map(({ id }) => id)).size).toBe(1);
  });

  test("that is refused leaves its slot free", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    await rig.settle();
    const { store } = rig.node;
    store.plan({ fault: "refused", hits: (batch) => submits(batch, "guilty") });
    expect((await errorOf(rig.service.submit({ definition: "job", input: "guilty" }))).code).toBe(
      "internal",
    );
    expect(rig.node.engine.life.pool.get(worker.id)?.holdings.size).toBe(0);
    await rig.submit({ input: "next" });
    expect(worker.inputs).toEqual(["next"]);
  });

  test("of a running task leaves the task as it was: it can still end, and its time still runs", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ slots: 2 });
    const { store } = rig.node;
    const first = await rig.submit({ attemptTimeoutMs: 5_000 });
    const { token } = worker.last;
    store.plan({ fault: "refused", hits: (batch) => holds(batch, "attempt.succeeded") });
    expect((await errorOf(worker.complete("bad"))).code).toBe("internal");
    expect(await worker.complete("good", token)).toEqual({ answer: "recorded" });
    expect(await rig.service.result({ id: first })).toMatchObject({ output: "good" });

    const second = await rig.submit({ attemptTimeoutMs: 5_000 });
    store.plan({ fault: "refused", hits: (batch) => holds(batch, "step.recorded") });
    expect((await errorOf(worker.step("a", 1))).code).toBe("internal");
    await rig.advance(5_000);
    expect(await rig.status(second)).toBe("failed");
  });

  test("does not make a step count as recorded", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    const { store } = rig.node;
    store.plan({ fault: "refused", hits: (batch) => holds(batch, "step.recorded") });
    expect((await errorOf(worker.step("a", 1))).code).toBe("internal");
    expect(await worker.step("a", 2)).toEqual({ answer: "recorded" });
    expect(await rig.eventsOf(id, "step.recorded")).toMatchObject([{ output: 2 }]);
  });

  test("of a claimed task leaves it to be claimed again", async () => {
    await using rig = await EngineRig.start();
    const { store } = rig.node;
    const id = await rig.submit();
    store.plan({ fault: "refused", hits: (batch) => holds(batch, "attempt.assigned") });
    const worker = await rig.worker();
    await rig.live(4_000, worker);
    expect(await rig.status(id)).toBe("running");
  });
});

describe("what gathers", () => {
  test("is bounded: beyond it submits are told to come again, and completions are taken", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    const release = rig.node.store.hold();
    const submits: Promise<unknown>[] = [];
    for (let task = 0; task < 20_000; task += 1) {
      submits.push(rig.service.submit({ definition: "other" }));
    }
    const error = await errorOf(rig.service.submit({ definition: "other" }));
    expect(error).toMatchObject({ code: "busy", data: { retryAfterMs: expect.any(Number) } });
    const completed = worker.complete("taken");
    release();
    expect(await completed).toEqual({ answer: "recorded" });
    await Promise.all(submits);
    expect(await rig.service.result({ id })).toMatchObject({ output: "taken" });
    await rig.service.submit({ definition: "other" });
  });

  test("is bounded in bytes too", async () => {
    await using rig = await EngineRig.start();
    const release = rig.node.store.hold();
    const input = "x".repeat(250 * 1024);
    const submits: Promise<unknown>[] = [];
    for (let task = 0; task < 265; task += 1) {
      submits.push(rig.service.submit({ definition: "other", input }));
    }
    const outcomes = Promise.allSettled(submits);
    const error = await errorOf(rig.service.submit({ definition: "other", input }));
    expect(error.code).toBe("busy");
    release();
    const refused = (await outcomes).filter(({ status }) => status === "rejected");
    expect(refused.length).toBeLessThan(10);
  });

  test("goes in batches, in a few lanes at once", async () => {
    await using rig = await EngineRig.start({ lanes: 3 });
    const { store } = rig.node;
    await Promise.all(
      Array.from({ length: 2_000 }, () => rig.service.submit({ definition: "other" })),
    );
    const sizes = store.sent.map(({ turns }) => turns.length);
    expect(Math.max(...sizes)).toBe(400);
    expect(new Set(store.sent.map(({ lane }) => lane))).toEqual(new Set([0, 1, 2]));
  });
});

test("a task that runs at once costs two commits, and nothing but its own rows", async () => {
  await using rig = await EngineRig.start();
  const worker = await rig.worker();
  await rig.settle();
  const before = rig.node.store.sent.length;
  await rig.submit({ attemptTimeoutMs: 60_000 });
  await worker.complete();
  const batches = rig.node.store.sent.slice(before);
  expect(batches).toHaveLength(2);
  for (const { turns } of batches) {
    expect(turns).toMatchObject([{ kind: "task", timersSet: [], timersCleared: [], letters: [] }]);
  }
});
