import { describe, expect, test } from "vitest";
import { EngineRig } from "../support/engine-rig.ts";

const head = { namespace: "default", definition: "job", version: "" };

describe("what a node left to the queue itself", () => {
  test("goes to free slots in its order, and no claim is needed", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker({ slots: 2 });
    await rig.settle();
    const claims = rig.node.store.countOf("queue.claim");
    for (const [input, priority] of [
      [0, 10],
      [1, 10],
      [3, 10],
      [5, 20],
      [4, 10],
      [2, 1],
    ] as const) {
      await rig.submit({ input, priority });
    }
    for (let done = 0; done < 6; done += 1) {
      const [token] = worker.running.keys();
      await worker.complete(null, token);
      await rig.settle();
    }
    expect(worker.inputs).toEqual([0, 1, 2, 3, 4, 5]);
    expect(worker.mostRunning).toBe(2);
    expect(rig.node.store.countOf("queue.claim")).toBe(claims);
    expect(await rig.store.doctor()).toEqual([]);
  });

  test("begins in the commit that ends the one before it", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    await rig.settle();
    const ids = [await rig.submit({ input: 0 }), await rig.submit({ input: 1 })];
    const { sent } = rig.node.store;
    const before = sent.length;
    await worker.complete();
    await rig.settle();
    expect(sent.slice(before).map(({ turns }) => turns.map(({ id }) => id).toSorted())).toEqual([
      ids.toSorted(),
    ]);
  });

  test("is looked at by the poll, and still needs no claim after it", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    await rig.settle();
    for (let input = 0; input < 5; input += 1) await rig.submit({ input });
    await rig.advance(1_000);
    await worker.complete();
    await rig.settle();
    const claims = rig.node.store.countOf("queue.claim");
    await worker.complete();
    await rig.settle();
    await worker.complete();
    await rig.settle();
    expect(worker.inputs).toEqual([0, 1, 2, 3]);
    expect(rig.node.store.countOf("queue.claim")).toBe(claims);
  });

  test("may be claimed by another node: what comes first there runs there, and once", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    await rig.settle();
    const first = await rig.submit({ input: 0 });
    for (let input = 1; input < 4; input += 1) await rig.submit({ input });
    const other = await rig.join();
    const { incarnation } = other.engine.life;
    const taken = await rig.store.queue.claim(incarnation, [head], 1);
    expect(await worker.complete()).toEqual({ answer: "recorded" });
    await rig.settle();
    expect(await rig.status(first)).toBe("succeeded");
    expect(worker.inputs).toEqual([0, 2]);
    await rig.store.tasks.release(
      incarnation,
      taken.map(({ id }) => id),
    );
    for (let done = 0; done < 3; done += 1) {
      await worker.complete();
      await rig.advance(3_000);
    }
    expect(worker.inputs.toSorted()).toEqual([0, 1, 2, 3]);
    expect(await rig.store.doctor()).toEqual([]);
  });

  test("is forgotten when nobody here serves it any more, and holds nobody up", async () => {
    await using rig = await EngineRig.start();
    const leaving = await rig.worker({ definitions: [{ name: "old" }], instance: "leaving" });
    const staying = await rig.worker({ name: "staying", instance: "staying", slots: 2 });
    await rig.settle();
    for (let input = 0; input < 4; input += 1) await rig.submit({ definition: "old", input });
    await leaving.drain();
    await leaving.complete();
    await rig.advance(1_000);
    const { sent } = rig.node.store;
    const before = sent.length;
    const id = await rig.submit({ input: "new" });
    expect(staying.last).toMatchObject({ task: id });
    expect(sent.slice(before)).toHaveLength(1);
  });

  test("may be cancelled there", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    await rig.settle();
    const ids: string[] = [];
    for (let input = 0; input < 4; input += 1) ids.push(await rig.submit({ input }));
    const claims = rig.node.store.countOf("queue.claim");
    expect(await rig.service.cancel({ id: ids[1] as string })).toMatchObject({ accepted: true });
    await rig.settle();
    for (let done = 0; done < 3; done += 1) {
      await worker.complete();
      await rig.settle();
    }
    expect(worker.inputs).toEqual([0, 2, 3]);
    expect(await rig.status(ids[1] as string)).toBe("cancelled");
    expect(rig.node.store.countOf("queue.claim")).toBe(claims);
    expect(await rig.store.doctor()).toEqual([]);
  });

  test("hears a cancel that comes while it is given to a worker", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    await rig.settle();
    await rig.submit({ input: 0 });
    const second = await rig.submit({ input: 1 });
    // The batch that ends the first and begins the second is refused, and goes without the guess.
    rig.node.store.plan({ fault: "stale", times: 1 });
    const reported = worker.complete();
    const cancelled = rig.service.cancel({ id: second });
    expect(await reported).toEqual({ answer: "recorded" });
    expect(await cancelled).toMatchObject({ accepted: true });
    await rig.advance(3_000);
    expect(await rig.status(second)).toMatch(/^cancell(ed|ing)$/);
    expect(await rig.store.doctor()).toEqual([]);
  });

  test("is nobody's to keep when it was taken by its id and then given away in vain", async () => {
    await using rig = await EngineRig.start();
    const worker = await rig.worker();
    await rig.settle();
    await rig.submit({ input: 0 });
    const second = await rig.submit({ input: 1 });
    const { store } = rig.node;
    const answerAcquire = store.holdAnswers("tasks.acquire");
    const cancelled = rig.service.cancel({ id: second });
    const refusal = expect(cancelled).rejects.toMatchObject({ code: "busy" });
    await rig.settle();
    const letCommitsGo = store.hold();
    store.plan({ fault: "stale", times: 1 });
    const reported = worker.complete();
    await rig.settle();
    answerAcquire();
    await rig.settle();
    store.failNext("tasks.acquire", 5);
    letCommitsGo();
    await rig.settle();
    expect(await reported).toEqual({ answer: "recorded" });
    await refusal;
    store.failNext("tasks.acquire", 0);
    await rig.advance(3_000);
    expect(worker.last).toMatchObject({ task: second, input: 1 });
    expect(await rig.store.doctor()).toEqual([]);
  });

  test("is still remembered when a claim for others brings what waits for a lane", async () => {
    await using rig = await EngineRig.start({ lanes: 1 });
    const workers = [
      await rig.worker({ name: "one", instance: "one" }),
      await rig.worker({
        name: "two",
        instance: "two",
        definitions: [{ name: "job" }, { name: "rare" }],
      }),
    ];
    await rig.settle();
    for (let input = 0; input < 14; input += 1) await rig.submit({ input });
    await rig.advance(1_000);
    const { store } = rig.node;
    const letCommitsGo = store.hold();
    const reported: Promise<unknown>[] = [];
    for (const worker of workers) {
      reported.push(worker.complete());
      await rig.settle();
    }
    letCommitsGo();
    await Promise.all(reported);
    await rig.settle();
    const claims = store.countOf("queue.claim");
    for (let done = 0; done < 4; done += 1) {
      for (const worker of workers) await worker.complete();
      await rig.settle();
    }
    expect(workers.map(({ mostRunning }) => mostRunning)).toEqual([1, 1]);
    expect(store.countOf("queue.claim")).toBe(claims);
  });

  test("needs no claim beside another node that leaves it alone", async () => {
    await using rig = await EngineRig.start();
    await rig.join();
    await rig.advance(3_000);
    expect(rig.node.engine.life.lease.nodeCount).toBe(2);
    const worker = await rig.worker();
    await rig.settle();
    const claims = rig.node.store.countOf("queue.claim");
    for (let input = 0; input < 4; input += 1) await rig.submit({ input });
    for (let done = 0; done < 3; done += 1) {
      await worker.complete();
      await rig.settle();
    }
    expect(worker.inputs).toEqual([0, 1, 2, 3]);
    expect(rig.node.store.countOf("queue.claim")).toBe(claims);
  });

  test("is claimed once more, and not for ever, where it is gone and the rest is unknown", async () => {
    await using rig = await EngineRig.start();
    const other = await rig.join();
    const worker = await rig.worker({ name: "free", instance: "free" });
    await rig.worker({ name: "full", instance: "full", definitions: [{ name: "other" }] });
    await rig.settle();
    await rig.submit({ definition: "other" });
    await rig.submit({ input: 0 });
    // Of what another node tells nothing is known here while no slot is free for it.
    await rig.store.hints.send([{ about: "ready", namespace: "default", definition: "other" }]);
    await rig.settle();
    await rig.submit({ input: 1 });
    await rig.store.queue.claim(other.engine.life.incarnation, [head], 1);
    const claims = rig.node.store.countOf("queue.claim");
    await worker.complete();
    await rig.settle();
    expect(rig.node.store.countOf("queue.claim") - claims).toBeLessThan(4);
  });
});
