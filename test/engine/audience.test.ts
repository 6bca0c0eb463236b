import { describe, expect, test, vi } from "vitest";
import { EngineRig } from "../support/engine-rig.ts";
import { Listener } from "../support/listener.ts";
import { errorOf } from "../support/outcome.ts";

describe("a subscription", () => {
  test("gets history, then what happens, then the end", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    const listener = new Listener();
    await rig.service.subscribe({ id }, listener);
    expect(listener.events).toEqual([]);
    await rig.settle();
    expect(listener.events.map(({ type }) => type)).toEqual(["task.submitted", "attempt.assigned"]);
    await worker.step("a", 1);
    await worker.step("b", 2);
    expect(listener.seqs).toEqual([1, 2, 3, 4]);
    await worker.complete();
    expect(listener.seqs).toEqual([1, 2, 3, 4, 5]);
    expect(listener.ends).toEqual(["ended"]);
    expect(listener.events.map(({ task, ...event }) => event)).toEqual(await rig.journal(id));
    expect(rig.node.engine.audience.attended()).toEqual([]);
  });

  test("begins after the seq that it names", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    await worker.step("a", 1);
    const listener = new Listener();
    await rig.service.subscribe({ id, after: 2 }, listener);
    await rig.settle();
    await worker.complete();
    expect(listener.seqs).toEqual([3, 4]);
  });

  test("to a task that has ended gets all of it and the end", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    await worker.complete();
    const [whole, rest, beyond] = [new Listener(), new Listener(), new Listener()];
    await rig.service.subscribe({ id }, whole);
    await rig.service.subscribe({ id, after: 3 }, rest);
    await rig.service.subscribe({ id, after: 99 }, beyond);
    await rig.settle();
    expect([whole.seqs, rest.seqs, beyond.seqs]).toEqual([[1, 2, 3], [], []]);
    for (const each of [whole, rest, beyond]) expect(each.ends).toEqual(["ended"]);
  });

  test("gets nothing more once it is closed", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    const [early, late] = [new Listener(), new Listener()];
    (await rig.service.subscribe({ id }, early)).close();
    const subscription = await rig.service.subscribe({ id }, late);
    await rig.settle();
    subscription.close();
    await worker.complete();
    expect(early.seqs).toEqual([]);
    expect(late.seqs).toEqual([1, 2]);
    expect(late.ends).toEqual([]);
    expect(rig.node.engine.audience.attended()).toEqual([]);
  });

  test("of many has no gap and no double, whenever each began", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const retry = { maxAttempts: 99, backoff: "fixed", minMs: 0 } as const;
    const id = await rig.submit({ retry });
    const listeners: Listener[] = [];
    for (let round = 0; round < 40; round += 1) {
      const listener = new Listener();
      listeners.push(listener);
      // Not awaited: its history is read while the next events are committed.
      void rig.service.subscribe({ id }, listener);
      await worker.step("s", round, round + 1);
      if (round % 10 === 9) {
        await worker.fail();
        await rig.advance(100);
      }
    }
    await worker.complete();
    await rig.settle();
    const { seq } = await rig.get(id);
    const all = Array.from({ length: seq }, (_, index) => index + 1);
    for (const listener of listeners) {
      expect(listener.seqs).toEqual(all);
      expect(listener.ends).toEqual(["ended"]);
    }
  });

  test("misses nothing of what is committed while its history is read", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    const listener = new Listener();
    const release = rig.node.store.holdAnswers("journal.readPart");
    await rig.service.subscribe({ id }, listener);
    await rig.settle();
    await worker.step("a", 1);
    await worker.complete();
    expect(listener.seqs).toEqual([]);
    release();
    await rig.settle();
    expect(listener.seqs).toEqual([1, 2, 3, 4]);
    expect(listener.ends).toEqual(["ended"]);
  });

  test("reads no more of a long history than a reader takes who gives up", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    const output = "x".repeat(200 * 1024);
    for (let step = 1; step <= 30; step += 1) await worker.step("s", output, step);
    const reads = [
      vi.spyOn(rig.store.journal, "read"),
      vi.spyOn(rig.store.journal, "readPart"),
    ] as const;
    const hasty = new Listener();
    const subscription = await rig.service.subscribe({ id }, hasty);
    hasty.event = () => subscription.close();
    await rig.settle();
    const [pages, parts] = await Promise.all([
      Promise.all(reads[0].mock.results.map(({ value }) => value)),
      Promise.all(reads[1].mock.results.map(({ value }) => value)),
    ]);
    const rows = [...pages.flat(), ...parts.flatMap((part) => part.rows)];
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.reduce((sum, { data }) => sum + data.length, 0)).toBeLessThan(1.5 * 1024 * 1024);
    const whole = new Listener();
    await rig.service.subscribe({ id }, whole);
    await rig.settle();
    expect(whole.seqs).toEqual(Array.from({ length: 32 }, (_, index) => index + 1));
  });

  test("to a task of nobody is not found", async () => {
    await using rig = await EngineRig.start();
    const id = rig.entropy.id();
    expect((await errorOf(rig.service.subscribe({ id }, new Listener()))).code).toBe("not-found");
  });

  test("survives a read that fails", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    const listener = new Listener();
    rig.node.store.failNext("journal.readPart");
    await rig.service.subscribe({ id }, listener);
    await rig.settle();
    expect(listener.seqs).toEqual([]);
    await worker.step("a", 1);
    await rig.settle();
    expect(listener.seqs).toEqual([1, 2, 3]);
  });

  test("on another node gets the same", async () => {
    await using rig = await EngineRig.start();
    const other = await rig.join();
    await rig.advance(3_000);
    const worker = await rig.worker();
    const id = await rig.submit();
    const listener = new Listener();
    await other.service.subscribe({ id }, listener);
    await rig.settle();
    for (let step = 1; step <= 5; step += 1) {
      await worker.step("s", step, step);
      await rig.settle();
      expect(listener.seqs).toHaveLength(2 + step);
    }
    await worker.complete();
    await rig.settle();
    expect(listener.seqs).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(listener.ends).toEqual(["ended"]);
    expect(await rig.store.watches.watchers([id])).toEqual([]);
  });

  test("and many more there hear of what ends in one commit by one hint", async () => {
    await using rig = await EngineRig.start();
    const other = await rig.join();
    await rig.advance(3_000);
    const ids = await Promise.all(Array.from({ length: 50 }, () => rig.submit()));
    const ended = ids.map((id) => errorOf(other.service.result({ id, waitMs: 60_000 })));
    await rig.settle();
    const before = rig.node.store.countOf("hints.send");
    await Promise.all(ids.map((id) => rig.service.cancel({ id })));
    await rig.settle();
    expect(rig.node.store.countOf("hints.send") - before).toBe(1);
    const errors = await Promise.all(ended);
    expect(errors.every(({ code }) => code === "task-cancelled")).toBe(true);
  });

  test("looks for the ends of what it submitted there many at a time", async () => {
    await using rig = await EngineRig.start();
    const other = await rig.join();
    await rig.advance(3_000);
    const worker = await rig.worker({ slots: 50 });
    const runs = Array.from({ length: 50 }, () => other.service.run({ definition: "job" }));
    await rig.settle();
    await rig.advance(1_000);
    const looks = () =>
      other.store.countOf("tasks.endings") + other.store.countOf("tasks.readMany");
    expect(looks()).toBeLessThan(5);
    await Promise.all(worker.assignments.map(({ token }) => worker.complete(1, token)));
    expect(await Promise.all(runs)).toHaveLength(50);
    expect(looks()).toBeLessThan(10);
  });

  test("is asked for many tasks at a time, and never for one that runs here", async () => {
    await using rig = await EngineRig.start();
    const other = await rig.join();
    await rig.advance(3_000);
    const worker = await rig.worker({ slots: 50 });
    const runs = Array.from({ length: 50 }, () => rig.service.run({ definition: "job" }));
    await rig.settle();
    const ids = worker.assignments.map(({ task }) => task);
    const waits = ids.map((id) => other.service.result({ id }));
    await rig.settle();
    await Promise.all(worker.assignments.map(({ token }) => worker.complete(1, token)));
    await Promise.all([...runs, ...waits]);
    await rig.settle();
    const asked = (node: typeof other) =>
      (["watches.watch", "watches.unwatch"] as const).map((call) => node.store.countOf(call));
    expect([asked(other), asked(rig.node)]).toEqual([
      [1, 1],
      [0, 0],
    ]);
  });
});

describe("progress", () => {
  test("is live for subscribers and kept for readers", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    const listener = new Listener();
    await rig.service.subscribe({ id }, listener);
    await rig.settle();
    await rig.service.progress({ token: worker.last.token, progress: { percent: 10 } });
    expect(listener.progressed).toEqual([{ percent: 10 }]);
    expect(await rig.get(id)).toMatchObject({ progress: { percent: 10 } });
    expect(await rig.types(id)).toHaveLength(2);
  });

  test("is written at most once a second, and its last value is kept", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    const { token } = worker.last;
    const listener = new Listener();
    await rig.service.subscribe({ id }, listener);
    await rig.settle();
    for (let percent = 1; percent <= 50; percent += 1) {
      await rig.service.progress({ token, progress: percent });
      await rig.advance(50);
    }
    expect(listener.progressed).toHaveLength(50);
    expect(rig.node.store.countOf("tasks.saveProgress")).toBeLessThanOrEqual(3);
    await rig.advance(1_000);
    expect(await rig.get(id)).toMatchObject({ progress: 50 });
  });

  test("of an attempt that is over goes nowhere", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    const { token } = worker.last;
    await worker.complete();
    await rig.service.progress({ token, progress: 1 });
    expect(await rig.get(id)).not.toHaveProperty("progress");
  });
});
