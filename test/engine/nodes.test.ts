import { describe, expect, test } from "vitest";
import { EngineRig } from "../support/engine-rig.ts";
import { Listener } from "../support/listener.ts";
import { errorOf, watch } from "../support/outcome.ts";

/** Two nodes that know of each other. */
async function startTwo(): Promise<{
  rig: EngineRig;
  other: Awaited<ReturnType<EngineRig["join"]>>;
}> {
  const rig = await EngineRig.start();
  const other = await rig.join();
  await rig.advance(3_000);
  return { rig, other };
}

describe("two nodes", () => {
  test("a task that is submitted on one runs on a worker of the other", async () => {
    const { rig, other } = await startTwo();
    await using _ = rig;
    const worker = await rig.worker({}, other);
    const result = rig.service.run({ definition: "job", input: 1 });
    await rig.settle();
    expect(worker.inputs).toEqual([1]);
    await worker.complete(2);
    await rig.settle();
    expect(await result).toMatchObject({ status: "succeeded", output: 2 });
  });

  test("a worker's report on the wrong node is sent again until it reaches the right one", async () => {
    const { rig, other } = await startTwo();
    await using _ = rig;
    const worker = await rig.worker();
    const id = await rig.submit();
    const { token } = worker.last;
    const wrong = watch(other.service.complete({ token, output: 1 }));
    await rig.settle();
    expect(wrong.error).toMatchObject({ code: "busy" });
    await worker.registerOn(other.service, { worker: worker.id });
    expect(worker.link.registered.keep).toEqual([token]);
    expect(await worker.complete(1)).toEqual({ answer: "recorded" });
    expect(await rig.status(id)).toBe("succeeded");
  });

  test("a cancel on the other node reaches the owner as a letter", async () => {
    const { rig, other } = await startTwo();
    await using _ = rig;
    const worker = await rig.worker();
    const id = await rig.submit();
    const answer = await other.service.cancel({ id, reason: "from afar" });
    expect(answer.accepted).toBe(true);
    await rig.settle();
    await rig.advance(100);
    expect(await rig.status(id)).toBe("cancelling");
    expect(worker.cancellations).toMatchObject([{ reason: "from afar" }]);
    await worker.complete();
    expect(await rig.status(id)).toBe("cancelled");
    expect(await rig.service.doctor()).toEqual({ findings: [] });
  });

  test("a letter to a task that ends meanwhile is taken in and changes nothing", async () => {
    const { rig, other } = await startTwo();
    await using _ = rig;
    const worker = await rig.worker();
    const id = await rig.submit();
    rig.node.store.failNext("mail.collect", 3);
    await other.service.cancel({ id });
    await worker.complete(1);
    await rig.advance(3_000);
    expect(await rig.status(id)).toBe("succeeded");
    expect(await rig.store.mail.collect(other.engine.life.incarnation, 10, [])).toEqual([]);
    expect(await rig.service.doctor()).toEqual({ findings: [] });
  });

  test("a letter outlives its addressee", async () => {
    const { rig, other } = await startTwo();
    await using _ = rig;
    const worker = await rig.worker({ name: "w" });
    const id = await rig.submit();
    rig.node.crash();
    expect(await other.service.cancel({ id })).toMatchObject({ accepted: true });
    await worker.registerOn(other.service, { name: "w" });
    await rig.advance(1_500);
    expect(worker.cancellations).toHaveLength(1);
    await worker.complete();
    expect(await other.service.get({ id })).toMatchObject({ status: "cancelled" });
  });

  test("all of it works when no hint arrives", async () => {
    const { rig, other } = await startTwo();
    await using _ = rig;
    for (const { store } of [rig.node, other]) store.failNext("hints.send", 1_000_000);
    const worker = await rig.worker({}, other);
    const result = rig.service.run({ definition: "job" });
    const listener = new Listener();
    await rig.advance(2_000);
    const id = worker.last.task;
    await rig.service.subscribe({ id }, listener);
    await worker.complete(1);
    await rig.advance(2_000);
    expect(await result).toMatchObject({ output: 1 });
    expect(listener.ends).toEqual(["ended"]);

    await rig.submit({}, rig.node);
    await rig.live(2_000, worker);
    await rig.service.cancel({ id: worker.last.task });
    await rig.live(2_000, worker);
    expect(worker.cancellations).toHaveLength(1);
  });

  test("share a queue without running anything twice", async () => {
    const { rig, other } = await startTwo();
    await using _ = rig;
    const workers = [
      await rig.worker({ instance: "a", slots: 3 }),
      await rig.worker({ instance: "b", slots: 2 }, other),
    ];
    const submits = Array.from({ length: 60 }, (_, input) =>
      (input % 2 === 0 ? rig.service : other.service).submit({ definition: "job", input }),
    );
    await Promise.all(submits);
    for (let round = 0; round < 60; round += 1) {
      await rig.live(200, ...workers);
      for (const worker of workers) {
        for (const token of [...worker.running.keys()]) await worker.complete(null, token);
      }
    }
    const inputs = workers.flatMap((worker) => [...worker.inputs]);
    expect(inputs.toSorted((a, b) => Number(a) - Number(b))).toEqual(
      Array.from({ length: 60 }, (_, input) => input),
    );
    expect(workers.map(({ mostRunning }) => mostRunning)).toEqual([3, 2]);
    expect(await rig.service.doctor()).toEqual({ findings: [] });
  });

  test("a timer whose task the other one holds is not asked for again and again", async () => {
    const { rig, other } = await startTwo();
    await using _ = rig;
    const worker = await rig.worker();
    const retry = { maxAttempts: 2, backoff: "fixed", minMs: 100 } as const;
    const id = await rig.submit({ timeoutMs: 1_000, retry });
    await worker.fail();
    await rig.advance(500);
    expect(worker.last).toMatchObject({ task: id, attempt: 2 });
    rig.node.crash();
    await rig.advance(1_000);
    const before = other.store.countOf("timers.takeDue");
    await rig.advance(1_000);
    expect(other.store.countOf("timers.takeDue") - before).toBeLessThanOrEqual(50);
  });

  test("the timers of one that died are rung by the other", async () => {
    const { rig, other } = await startTwo();
    await using _ = rig;
    const id = await rig.submit({ startAt: rig.clock.now() + 5_000 });
    rig.node.crash();
    const worker = await rig.worker({}, other);
    await rig.live(6_000, worker);
    expect(worker.last.task).toBe(id);
  });
});

describe("a node that dies", () => {
  test("its tasks are freed by another after a lease of silence, and run there", async () => {
    const { rig, other } = await startTwo();
    await using _ = rig;
    const lost = await rig.worker();
    const running = await rig.submit({ input: "running" });
    const queued = await rig.submit({ input: "queued" });
    rig.node.crash();
    const worker = await rig.worker({ instance: "next", slots: 2 }, other);
    await rig.live(8_000, worker);
    expect(await other.service.get({ id: running })).toMatchObject({ status: "running" });
    await rig.live(16_000, worker);
    expect(worker.inputs.toSorted()).toEqual(["queued", "running"]);
    const { events } = await other.service.events({ id: running });
    const losses = events.filter(({ type }) => type === "attempt.lost");
    expect(losses).toMatchObject([{ data: { token: lost.last.token } }]);
    expect(queued).toBeDefined();
    expect(await other.service.doctor()).toEqual({ findings: [] });
  });

  test("a worker that moves in time keeps what it runs", async () => {
    const { rig, other } = await startTwo();
    await using _ = rig;
    const worker = await rig.worker({ slots: 2 });
    const ids = [await rig.submit(), await rig.submit()];
    rig.node.crash();
    await rig.advance(3_000);
    await worker.registerOn(other.service, { worker: worker.id, slots: 2 });
    expect(worker.link.registered.keep).toHaveLength(2);
    await rig.live(30_000, worker);
    for (const token of [...worker.running.keys()]) {
      expect(await worker.complete(token, token)).toEqual({ answer: "recorded" });
    }
    for (const id of ids) {
      const { events } = await other.service.events({ id });
      expect(events.map(({ type }) => type)).toEqual([
        "task.submitted",
        "attempt.assigned",
        "attempt.succeeded",
      ]);
    }
  });

  test("waiters on another are answered all the same", async () => {
    const { rig, other } = await startTwo();
    await using _ = rig;
    const worker = await rig.worker();
    const id = await rig.submit();
    const seen = watch(other.service.result({ id }));
    rig.node.crash();
    await rig.advance(1_000);
    await worker.registerOn(other.service, { worker: worker.id });
    await worker.complete("moved");
    await rig.settle();
    expect(seen.value).toEqual({ id, status: "succeeded", output: "moved" });
  });
});

test("between a worker's end and that of its attempts a node may die: nobody is left behind", async () => {
  const { rig, other } = await startTwo();
  await using _ = rig;
  const worker = await rig.worker();
  const id = await rig.submit();
  // The worker is recorded as lost, and the node dies before it gets to the worker's tasks.
  rig.node.store.failNext("tasks.acquireOfWorker", 1_000);
  other.store.failNext("workers.stranding", 4);
  worker.link.detach();
  await rig.advance(5_000);
  rig.node.crash();
  const next = await rig.worker({ instance: "next" }, other);
  await rig.live(20_000, next);
  expect(next.assignments).toMatchObject([{ task: id, attempt: 2 }]);
});

describe("a worker that moves to another node without a word", () => {
  test("is let go by the first within a second or so", async () => {
    const { rig, other } = await startTwo();
    await using _ = rig;
    const worker = await rig.worker();
    await rig.submit();
    await worker.registerOn(other.service, { worker: worker.id });
    await rig.live(2_000, worker);
    expect(rig.node.engine.life.pool.get(worker.id)).toBeUndefined();
    expect(await worker.complete()).toEqual({ answer: "recorded" });
  });

  test("is not told that it was replaced; one whose name another process took there is", async () => {
    const { rig, other } = await startTwo();
    await using _ = rig;
    const [moved, replaced] = [await rig.worker({ name: "m" }), await rig.worker({ name: "r" })];
    await rig.worker({ name: "m" }, other);
    await rig.worker({ name: "r", instance: "instance-2" }, other);
    await rig.live(2_000);
    await rig.settle();
    expect(moved).toMatchObject({ isForgotten: true, isSuperseded: false });
    expect(replaced).toMatchObject({ isForgotten: false, isSuperseded: true });
  });

  test("as lost, because another node reaped it, registers anew", async () => {
    const { rig, other } = await startTwo();
    await using _ = rig;
    const worker = await rig.worker();
    // As when this node could not extend its lease.
    const row = await rig.store.workers.read(worker.id);
    await other.engine.life.workers.ends.reapInstance(row?.instance ?? "");
    await rig.live(2_000);
    expect(worker).toMatchObject({ isForgotten: true, isSuperseded: false });
    await worker.registerOn(rig.service, { worker: worker.id });
    await rig.submit();
    expect(worker.assignments).toHaveLength(1);
  });

  test("what the first still assigned to it is not stuck", async () => {
    const { rig, other } = await startTwo();
    await using _ = rig;
    const gone = await rig.worker({ name: "w", slots: 2 });
    const kept = await rig.submit({ input: "kept" });
    const { token } = gone.last;
    const here = await rig.worker({ name: "w", slots: 2, attempts: [token] }, other);
    // The first node does not know yet, and its socket to the worker is half open.
    const late = await rig.submit({ input: "late" });
    expect(gone.last.input).toBe("late");
    for (let second = 0; second < 20; second += 2) {
      await rig.advance(2_000);
      await here.beat([token, ...here.running.keys()]);
    }
    expect(await rig.status(kept)).toBe("running");
    expect(await rig.eventsOf(kept, "attempt.lost")).toEqual([]);
    expect(here.inputs).toEqual(["late"]);
    expect(here.last.task).toBe(late);
    expect(await rig.eventsOf(late, "attempt.lost")).toMatchObject([{ counts: false }]);
  });

  test("what the first still assigned to it is not kept there when it ends meanwhile", async () => {
    const { rig, other } = await startTwo();
    await using _ = rig;
    await rig.worker({ name: "w" });
    const here = await rig.worker({ name: "w", attempts: [] }, other);
    const late = await rig.submit({ input: "late" });
    // The first node reads that it still has the task; before it acts on that, the other one does.
    const answer = rig.node.store.holdAnswers("tasks.readMany");
    other.store.failNext("tasks.runningOn", 1_000);
    await rig.live(8_000, here);
    other.store.heal();
    await rig.live(8_000, here);
    expect(here.last.task).toBe(late);
    await here.complete();
    answer();
    await rig.settle();
    const [row] = await rig.store.tasks.readMany([late]);
    expect(row).toMatchObject({ status: "succeeded", owner: null });
    expect(rig.node.engine.life.directory.size).toBe(0);
  });
});

describe("a node that lost its lease", () => {
  test("begins a new incarnation and takes its workers and their attempts along", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ slots: 2 });
    const result = watch(rig.service.run({ definition: "job", input: 1 }));
    await rig.settle();
    const before = rig.node.engine.life.incarnation;
    await rig.store.nodes.remove(before);
    await rig.live(6_000, worker);
    expect(rig.node.engine.life.incarnation).not.toBe(before);
    expect(worker.isSuperseded).toBe(false);
    expect(worker.cancellations).toEqual([]);
    expect(await worker.complete("kept")).toEqual({ answer: "recorded" });
    await rig.settle();
    expect(result.value).toMatchObject({ output: "kept" });
    await rig.submit({ input: 2 });
    expect(worker.inputs).toEqual([1, 2]);
    expect(await rig.service.doctor()).toEqual({ findings: [] });
  });

  test("notices at its next commit, and the caller is told to come again", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const before = rig.node.engine.life.incarnation;
    await rig.store.nodes.remove(before);
    const seen = watch(rig.service.submit({ definition: "job", idempotencyKey: "k" }));
    await rig.settle();
    expect(seen.error).toMatchObject({ code: "busy" });
    await rig.advance(500);
    expect(rig.node.engine.life.incarnation).not.toBe(before);
    await rig.submit({ idempotencyKey: "k" });
    expect(worker.assignments).toHaveLength(1);
  });

  test("answers waiters whose task ended in the commit that it did not hear of", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const result = watch(rig.service.run({ definition: "job" }));
    await rig.settle();
    rig.node.store.plan({ fault: "lostAnswer" });
    const completed = watch(worker.complete("written"));
    await rig.settle();
    await rig.store.nodes.remove(rig.node.engine.life.incarnation);
    await rig.live(4_000, worker);
    expect(completed.error).toMatchObject({ code: "busy" });
    expect(result.value).toMatchObject({ output: "written" });
    expect(await worker.complete("written")).toEqual({ answer: "recorded" });
  });

  test("does not take back a worker that has moved to another node", async () => {
    const { rig, other } = await startTwo();
    await using _ = rig;
    const worker = await rig.worker({ name: "w" });
    const here = await rig.worker({ name: "w" }, other);
    await rig.live(2_000, here);
    expect(worker.isForgotten).toBe(true);
    const id = await rig.submit({}, other);
    expect(here.last.task).toBe(id);
    await rig.store.nodes.remove(rig.node.engine.life.incarnation);
    await rig.live(8_000, here);
    expect(here.isSuperseded).toBe(false);
    expect(await here.complete(1)).toEqual({ answer: "recorded" });
    expect(await rig.types(id)).toHaveLength(3);
  });

  test("does not revive a worker that was lost", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    await rig.advance(13_000);
    expect(worker.isForgotten).toBe(true);
    await rig.store.nodes.remove(rig.node.engine.life.incarnation);
    await rig.advance(4_000);
    await rig.submit();
    expect(worker.assignments).toEqual([]);
    const { workers } = await rig.service.listWorkers({});
    expect(workers).toMatchObject([{ status: "lost" }]);
  });

  test("keeps subscriptions going, without gap or double", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    const listener = new Listener();
    await rig.service.subscribe({ id }, listener);
    await worker.step("a", 1);
    await rig.store.nodes.remove(rig.node.engine.life.incarnation);
    await rig.live(4_000, worker);
    await worker.step("b", 2);
    await worker.complete();
    await rig.settle();
    expect(listener.seqs).toEqual([1, 2, 3, 4, 5]);
    expect(listener.ends).toEqual(["ended"]);
  });

  test("begins once, although what others wait for cannot be read just then", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const result = watch(rig.service.run({ definition: "job", input: 1 }));
    await rig.settle();
    await rig.store.nodes.remove(rig.node.engine.life.incarnation);
    rig.node.store.failNext("tasks.endings", 1);
    await rig.live(3_000, worker);
    const { incarnation } = rig.node.engine.life;
    await rig.live(9_000, worker);
    expect(rig.node.engine.life.incarnation).toBe(incarnation);
    expect(await worker.complete("kept")).toEqual({ answer: "recorded" });
    await rig.settle();
    expect(result.value).toMatchObject({ output: "kept" });
  });

  test("tries until the store lets it begin again", async () => {
    await using rig = await EngineRig.start();
    const { store } = rig.node;
    await rig.store.nodes.remove(rig.node.engine.life.incarnation);
    store.failNext("nodes.enlist", 5);
    await rig.advance(2_600);
    expect((await watchNow(rig.service.submit({ definition: "job" }))).error).toMatchObject({
      code: "busy",
    });
    await rig.advance(2_000);
    expect(await rig.submit()).toBeDefined();
  });

  test("again, while it takes its workers along, loses none of their attempts", async () => {
    await using rig = await EngineRig.start();
    const workers = [await rig.worker({ name: "a" }), await rig.worker({ name: "b" })];
    const ids = [await rig.submit({ input: 1 }), await rig.submit({ input: 2 })];
    const goOn = rig.node.store.holdAnswers("tasks.acquireOfWorker");
    for (let times = 0; times < 2; times += 1) {
      await rig.store.nodes.remove(rig.node.engine.life.incarnation);
      await rig.advance(4_000);
    }
    goOn();
    await rig.live(6_000, ...workers);
    for (const id of ids) expect(await rig.eventsOf(id, "attempt.lost")).toEqual([]);
    for (const worker of workers) expect(await worker.complete(1)).toEqual({ answer: "recorded" });
  });

  test("again, in the middle of a registration, takes that worker along all the same", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    await rig.store.nodes.remove(rig.node.engine.life.incarnation);
    rig.node.store.plan({ fault: "unavailable", times: 100 });
    await rig.advance(3_000);
    await rig.store.nodes.remove(rig.node.engine.life.incarnation);
    await rig.advance(3_000);
    rig.node.store.heal();
    await rig.advance(2_000);
    await rig.live(6_000, worker);
    expect(await rig.eventsOf(id, "attempt.lost")).toEqual([]);
    expect(await worker.complete(1)).toEqual({ answer: "recorded" });
  });

  test("takes along what was reported while it was nobody", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    await rig.store.nodes.remove(rig.node.engine.life.incarnation);
    rig.node.store.failNext("nodes.enlist", 5);
    await rig.advance(2_600);
    expect((await errorOf(worker.complete("done"))).code).toBe("busy");
    await rig.advance(2_000);
    expect(await rig.eventsOf(id, "attempt.lost")).toEqual([]);
    expect(await worker.complete("done")).toEqual({ answer: "recorded" });
  });

  test("does not run again what was reported and not yet recorded", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    rig.node.store.plan({ fault: "unavailable", times: 100 });
    const reported = watch(worker.complete("done"));
    await rig.settle();
    await rig.store.nodes.remove(rig.node.engine.life.incarnation);
    await rig.advance(4_000);
    rig.node.store.heal();
    await rig.advance(2_000);
    expect(reported.error).toMatchObject({ code: "busy" });
    expect(await worker.complete("done")).toEqual({ answer: "recorded" });
    expect(await rig.types(id)).toEqual([
      "task.submitted",
      "attempt.assigned",
      "attempt.succeeded",
    ]);
  });

  describe("and whose worker registers by itself before it is taken along", () => {
    /** A worker with an attempt, of which the next life has not read yet what runs on it. */
    async function startTakingAlong(call: "workers.read" | "tasks.acquireOfWorker") {
      const rig = await EngineRig.start();
      const worker = await rig.worker({ name: "w", slots: 2 });
      const id = await rig.submit({ input: 1 });
      await rig.store.nodes.remove(rig.node.engine.life.incarnation);
      const goOn = rig.node.store.holdAnswers(call);
      await rig.advance(4_000);
      return { rig, worker, id, goOn };
    }

    test("lets it, and the worker is not superseded by itself", async () => {
      const { rig, worker, id, goOn } = await startTakingAlong("tasks.acquireOfWorker");
      await using _ = rig;
      const registered = worker.registerOn(rig.service, { name: "w", slots: 2 });
      await rig.settle();
      goOn();
      await registered;
      expect(worker.isSuperseded).toBe(false);
      await rig.submit({ input: 2 });
      await rig.live(6_000, worker);
      expect(worker.inputs).toEqual([1, 2]);
      expect(await rig.eventsOf(id, "attempt.lost")).toEqual([]);
    });

    test("does not take it along as it was before", async () => {
      const { rig, worker, goOn } = await startTakingAlong("workers.read");
      await using _ = rig;
      const registered = worker.registerOn(rig.service, { name: "w", slots: 2 });
      await rig.settle();
      const next = await rig.submit({ input: 2 });
      goOn();
      await registered;
      await rig.live(6_000, worker);
      expect(worker.inputs).toEqual([1, 2]);
      expect(await rig.eventsOf(next, "attempt.lost")).toEqual([]);
    });

    test("or another process under its name, which it hears of", async () => {
      const { rig, worker, goOn } = await startTakingAlong("workers.read");
      await using _ = rig;
      const next = await rig.worker({ name: "w", instance: "instance-2" });
      goOn();
      await rig.settle();
      expect(worker.isSuperseded).toBe(true);
      expect(next.isSuperseded).toBe(false);
    });

    test("does not turn its registration into a conflict", async () => {
      const { rig, worker, goOn } = await startTakingAlong("workers.read");
      await using _ = rig;
      const goOnToo = rig.node.store.holdAnswers("tasks.acquireOfWorker");
      const registered = worker.registerOn(rig.service, { name: "w", slots: 2 });
      await rig.settle();
      goOn();
      await rig.settle();
      goOnToo();
      await registered;
      expect(worker.isSuperseded).toBe(false);
    });
  });
});

async function watchNow<T>(promise: Promise<T>): Promise<{ value: T | undefined; error: unknown }> {
  const seen = watch(promise);
  await new Promise((resolve) => setImmediate(resolve));
  return seen;
}

test("a node that was out of touch reaps nobody until it has watched for a whole lease", async () => {
  const { rig, other } = await startTwo();
  await using _ = rig;
  const healthy = rig.node.engine.life.incarnation;
  // Both are out of touch; only `other` comes back at once.
  for (const { store } of [rig.node, other]) store.failNext("nodes.renew", 6);
  await rig.advance(12_500);
  expect((await rig.store.nodes.list()).map(({ incarnation }) => incarnation)).toContain(healthy);
  await rig.advance(5_000);
  expect(rig.node.engine.life.incarnation).toBe(healthy);
});

test("news that cannot be read is no end of the process", async () => {
  const { rig, other } = await startTwo();
  await using _ = rig;
  const worker = await rig.worker();
  const id = await rig.submit();
  const result = watch(other.service.result({ id, waitMs: 60_000 }));
  await rig.settle();
  other.store.failNext("tasks.endings", 1);
  await worker.complete("heard of later");
  await rig.live(3_000, worker);
  expect(result.value).toMatchObject({ output: "heard of later" });
});
