import { describe, expect, test } from "vitest";
import { EngineRig } from "../support/engine-rig.ts";

describe("order", () => {
  test("smaller priorities go first, then age", async () => {
    await using rig = await EngineRig.start();
    for (const [input, priority] of [
      ["c", 10],
      ["e", 20],
      ["a", 1],
      ["d", 10],
      ["b", 1],
    ] as const) {
      await rig.submit({ input, priority });
    }
    const worker = await rig.worker();
    await rig.settle();
    for (let task = 0; task < 4; task += 1) {
      await worker.complete();
      await rig.settle();
    }
    expect(worker.inputs).toEqual(["a", "b", "c", "d", "e"]);
  });

  test("holds over all definitions of a worker", async () => {
    await using rig = await EngineRig.start();
    await rig.submit({ definition: "one", input: "b", priority: 2 });
    await rig.submit({ definition: "two", input: "a", priority: 1 });
    await rig.submit({ definition: "two", input: "d", priority: 3 });
    await rig.submit({ definition: "one", input: "c", priority: 3, version: "7" });
    const definitions = [{ name: "one", version: "7" }, { name: "two" }];
    const worker = await rig.worker({ definitions });
    for (let task = 0; task < 4; task += 1) {
      await rig.settle();
      await worker.complete();
    }
    expect(worker.inputs).toEqual(["a", "b", "d", "c"]);
  });

  test("a fresh task does not overtake one that waits for the same slot", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    await rig.submit({ input: 0 });
    await rig.submit({ input: 1 });
    await Promise.all([worker.complete(), rig.service.submit({ definition: "job", input: 2 })]);
    await rig.settle();
    expect(worker.last.input).toBe(1);
  });

  test("a stream of one definition does not starve another that waits for the same slot", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ definitions: [{ name: "job" }, { name: "rare" }] });
    await rig.settle();
    await rig.submit({ input: 0 });
    await rig.submit({ definition: "rare", input: "rare" });
    for (let task = 1; task <= 10; task += 1) {
      await Promise.all([
        worker.complete(),
        rig.service.submit({ definition: "job", input: task }),
      ]);
      await rig.settle();
    }
    expect(worker.inputs.indexOf("rare")).toBe(1);
  });
});

describe("slots", () => {
  test("are never exceeded, and each that comes free is used", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ slots: 3 });
    for (let input = 0; input < 20; input += 1) await rig.submit({ input });
    for (let done = 0; done < 20; done += 1) {
      expect(worker.running.size).toBe(Math.min(3, 20 - done));
      const [token] = worker.running.keys();
      await worker.complete(null, token);
      await rig.settle();
    }
    expect(worker.mostRunning).toBe(3);
    expect(worker.inputs).toEqual(Array.from({ length: 20 }, (_, input) => input));
  });

  test("fill from a long queue in a few claims", async () => {
    await using rig = await EngineRig.start();
    await Promise.all(
      Array.from({ length: 1_200 }, (_, input) => rig.service.submit({ definition: "job", input })),
    );
    const claims = rig.node.store.countOf("queue.claim");
    const worker = await rig.worker({ slots: 1_000 });
    await rig.settle();
    expect(worker.inputs).toEqual(Array.from({ length: 1_000 }, (_, input) => input));
    expect(rig.node.store.countOf("queue.claim") - claims).toBeLessThanOrEqual(4);
  });

  test("go to a claimed task in the commit of the report that frees them", async () => {
    await using rig = await EngineRig.start();
    for (let task = 0; task < 12; task += 1) await rig.submit({ input: task });
    const worker = await rig.worker({ slots: 4 });
    await rig.settle();
    // Slots that come free one upon another: more is claimed than there is room for just now.
    await Promise.all([...worker.running.keys()].map((token) => worker.complete(1, token)));
    await rig.settle();
    const { sent } = rig.node.store;
    const before = sent.length;
    await worker.complete(1);
    const commits = sent
      .slice(before)
      .map(({ turns }) => turns.flatMap(({ events }) => events.map(({ type }) => type)).toSorted());
    expect(commits).toEqual([["attempt.assigned", "attempt.succeeded"]]);
  });

  test("of the least loaded worker are taken first", async () => {
    await using rig = await EngineRig.start();
    const small = await rig.worker({ slots: 2, instance: "small" });
    const large = await rig.worker({ slots: 4, instance: "large" });
    await rig.settle();
    for (let input = 0; input < 6; input += 1) {
      await rig.submit({ input });
      const loads = [small.running.size / 2, large.running.size / 4] as const;
      expect(Math.abs(loads[0] - loads[1])).toBeLessThanOrEqual(0.5);
    }
    expect([small.running.size, large.running.size]).toEqual([2, 4]);
  });
});

describe("a refusal", () => {
  test("brings the task back after a while, without using up an attempt", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    const { token } = worker.last;
    expect(await worker.refuse("unknown-definition")).toEqual({ answer: "recorded" });
    expect(await rig.status(id)).toBe("waiting");
    expect(await worker.refuse("unknown-definition", token)).toEqual({ answer: "recorded" });
    await rig.advance(2_000);
    expect(worker.last).toMatchObject({ task: id });
    expect(worker.last.token).not.toBe(token);
    await worker.complete();
    expect(await rig.status(id)).toBe("succeeded");
    expect(await rig.eventsOf(id, "attempt.refused")).toMatchObject([
      { token, reason: "unknown-definition" },
    ]);
  });

  test("frees the slot at once", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    await rig.submit({ input: 1 });
    await rig.submit({ input: 2 });
    await worker.refuse();
    await rig.settle();
    expect(worker.last.input).toBe(2);
  });

  test("of an attempt that is being cancelled ends it", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    await rig.service.cancel({ id });
    await worker.refuse();
    expect(await rig.status(id)).toBe("cancelled");
  });
});

describe("a draining worker", () => {
  test("finishes what it has and gets nothing more", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ slots: 2 });
    const id = await rig.submit();
    await worker.drain();
    await worker.drain();
    await rig.submit({ input: "for another" });
    await rig.live(3_000, worker);
    expect(worker.assignments).toHaveLength(1);
    expect(await worker.complete()).toEqual({ answer: "recorded" });
    expect(await rig.status(id)).toBe("succeeded");
    worker.link.detach();
    await rig.settle();
    const { workers } = await rig.service.listWorkers({});
    expect(workers).toMatchObject([{ id: worker.id, status: "gone", running: 0 }]);
    const other = await rig.worker({ instance: "other" });
    await rig.settle();
    expect(other.last.input).toBe("for another");
  });

  test("that is lost does not count against its tasks", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    await worker.drain();
    worker.link.detach();
    await rig.advance(6_000);
    expect(await rig.eventsOf(id, "attempt.lost")).toMatchObject([{ counts: false }]);
  });

  test("that is replaced does not count against its tasks", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ name: "w" });
    const id = await rig.submit();
    await worker.drain();
    const next = await rig.worker({ name: "w", instance: "instance-2" });
    await rig.settle();
    expect(await rig.eventsOf(id, "attempt.lost")).toMatchObject([{ counts: false }]);
    expect(next.last).toMatchObject({ task: id, attempt: 2 });
  });
});

describe("versions", () => {
  test("a task without a version runs on any, and stays on it", async () => {
    await using rig = await EngineRig.start();
    const first = await rig.worker({ definitions: [{ name: "job", version: "1" }] });
    const retry = { maxAttempts: 3, backoff: "fixed", minMs: 100 } as const;
    const id = await rig.submit({ retry });
    expect(first.last.version).toBe("1");
    const second = await rig.worker({
      instance: "second",
      definitions: [{ name: "job", version: "2" }],
    });
    await first.drain();
    await first.fail();
    await rig.live(1_000, second);
    expect(await rig.get(id)).toMatchObject({ status: "ready", version: "1" });
    expect(second.assignments).toEqual([]);
    const third = await rig.worker({
      instance: "third",
      definitions: [
        { name: "job", version: "1" },
        { name: "job", version: "2" },
      ],
    });
    await rig.settle();
    expect(third.last).toMatchObject({ task: id, version: "1" });
  });

  test("a task with a version runs on that only", async () => {
    await using rig = await EngineRig.start();
    const plain = await rig.worker();
    const first = await rig.worker({
      instance: "first",
      definitions: [{ name: "job", version: "1" }],
    });
    const id = await rig.submit({ version: "2" });
    await rig.advance(1_000);
    expect([...plain.assignments, ...first.assignments]).toEqual([]);
    const second = await rig.worker({
      instance: "second",
      definitions: [{ name: "job", version: "2" }],
    });
    await rig.settle();
    expect(second.last).toMatchObject({ task: id, version: "2" });
  });

  test("a plain worker runs tasks without a version, as none", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    const id = await rig.submit();
    expect(worker.last.version).toBe("");
    expect(await rig.get(id)).toMatchObject({ version: "" });
  });
});
