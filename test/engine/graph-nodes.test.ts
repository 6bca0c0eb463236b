import { describe, expect, test } from "vitest";
import type { TaskTurn } from "../../runtime/store/turns.ts";
import type { CommitFault } from "../support/faulty-store.ts";
import {
  chained,
  expectHealthy,
  GraphBench,
  graphOf,
  run,
  startBench,
} from "../support/graph-bench.ts";

/** Two nodes that know of each other, and a worker on the first. */
async function startTwo(options: { serves?: string } = {}) {
  const { rig, bench } = await startBench();
  const other = await rig.join();
  await rig.advance(3_000);
  const there = await GraphBench.start(rig, { node: other, serves: options.serves ?? "" });
  return { rig, bench, other, there };
}

/** A graph with all that takes more than one commit: a join, a graph within, copies with a limit. */
const tasks = {
  ...chained({ a: "", b: "a", c: "a", d: "bc" }),
  p: { graph: graphOf(chained({ x: "", y: "x" })), after: ["b"] },
  m: { each: graphOf({ z: run("z") }), input: { items: [1, 2] }, limit: 1, after: ["c"] },
  e: run("e", { after: ["p", "m", "d"] }),
} as const;
const everyTask = "abcdexyzz";

/** Completes whatever runs until the root has ended. */
async function finish(bench: GraphBench, root: string): Promise<void> {
  for (let round = 0; round < 60; round += 1) {
    for (const [token] of bench.worker.running) {
      const answer = bench.worker.complete(1, token).catch(() => undefined);
      await bench.rig.settle();
      await Promise.race([answer, bench.rig.live(1_500, bench.worker)]);
    }
    await bench.rig.settle();
    const row = await bench.rig.store.tasks.read("default", root);
    if (row?.status !== "running" && bench.worker.running.size === 0) return;
    await bench.rig.live(500, bench.worker);
  }
  throw new Error(`it does not end: ${await bench.statuses(root)}`);
}

function sortedLetters(text: string): string {
  return [...text].sort().join("");
}

describe("a node that dies", () => {
  test("between the end of a dependency and the start of what depends on it leaves nothing stuck", async () => {
    const { rig, bench, other } = await startTwo();
    await using _ = rig;
    const { id } = await bench.submit(chained({ a: "", b: "a", c: "b" }));
    // The end is written; the node dies before it hears so.
    rig.node.store.plan({ fault: "lostAnswer" });
    bench.worker.complete("a").catch(() => {});
    await rig.settle();
    rig.node.crash();
    await bench.moveTo(other);
    await rig.live(16_000, bench.worker);
    expect(bench.running).toBe("b");
    await finish(bench, id);
    expect(await bench.statuses(id, other)).toBe("a:succeeded b:succeeded c:succeeded");
    await expectHealthy(rig);
  });

  test("while it holds the letter that lets a task go leaves it to the others", async () => {
    const { rig, bench, other } = await startTwo();
    await using _ = rig;
    // The letter is collected, and what it takes to decide over it never comes.
    rig.node.store.holdAnswers("graphs.dependenciesOf");
    const copies = graphOf({ x: run("x") });
    const { id } = await bench.submit({
      a: run("a"),
      m: { each: copies, refs: [{ at: "/items", task: "a" }] },
    });
    await bench.complete("a", [1, 2]);
    expect(bench.running).toBe("");
    rig.node.crash();
    await bench.moveTo(other);
    await rig.live(16_000, bench.worker);
    expect(bench.running).toBe("xx");
    await finish(bench, id);
    expect((await other.service.get({ id })).status).toBe("succeeded");
    await expectHealthy(rig);
  });

  test("while a cancel goes down the tree leaves nothing uncancelled", async () => {
    const { rig, bench, other } = await startTwo();
    await using _ = rig;
    const { id } = await bench.submit({
      p: { graph: graphOf(chained({ x: "", y: "x" })) },
      ...chained({ a: "", b: "a" }),
    });
    rig.node.store.failNext("mail.collect", 1_000);
    await rig.service.cancel({ id });
    rig.node.crash();
    await bench.moveTo(other);
    await rig.live(16_000, bench.worker);
    for (const token of [...bench.worker.running.keys()]) await bench.worker.complete(1, token);
    await rig.live(3_000, bench.worker);
    expect(await bench.statuses(id, other)).toBe(
      "a:cancelled b:cancelled p:cancelled x:cancelled y:cancelled",
    );
    expect((await other.service.get({ id })).status).toBe("cancelled");
    expect(sortedLetters(bench.started)).toBe("ax");
    await expectHealthy(rig);
  });
});

describe("two nodes that share a graph", () => {
  test("pass it to and fro", async () => {
    const { rig, bench, other, there } = await startTwo({ serves: "AB" });
    await using _ = rig;
    const { id } = await bench.submit({
      a: run("a"),
      A: run("A", { refs: [{ at: "", task: "a" }] }),
      b: run("b", { refs: [{ at: "", task: "A" }] }),
      B: run("B", { refs: [{ at: "", task: "b" }] }),
    });
    await bench.complete("a", 1);
    await rig.live(100, bench.worker, there.worker);
    expect(there.inputOf("A")).toBe(1);
    await there.complete("A", 2);
    await rig.live(100, bench.worker, there.worker);
    expect(bench.inputOf("b")).toBe(2);
    await bench.complete("b", 3);
    await rig.live(100, bench.worker, there.worker);
    await there.complete("B", 4);
    await rig.live(100, bench.worker, there.worker);
    expect(await rig.service.result({ id })).toMatchObject({ output: 4 });
    expect((await other.service.get({ id })).status).toBe("succeeded");
    await expectHealthy(rig);
  });

  test("and end its last dependencies at once let the join go once", async () => {
    const { rig, bench, there } = await startTwo({ serves: "ABC" });
    await using _ = rig;
    const ends = { a: "", b: "", A: "", B: "" };
    const { id } = await bench.submit(chained({ ...ends, c: "abAB" }));
    await rig.live(100, bench.worker, there.worker);
    await Promise.all([bench.complete("ab"), there.complete("AB")]);
    await rig.live(2_000, bench.worker, there.worker);
    expect(bench.running).toBe("c");
    await bench.complete("c");
    await rig.live(2_000, bench.worker, there.worker);
    expect(await rig.status(id)).toBe("succeeded");
    expect(sortedLetters(bench.started)).toBe("abc");
    await expectHealthy(rig);
  });

  test("without hints go on by looking", async () => {
    const { rig, bench, other, there } = await startTwo({ serves: "A" });
    await using _ = rig;
    for (const { store } of [rig.node, other]) store.failNext("hints.send", 1_000_000);
    const { id } = await bench.submit(chained({ a: "", A: "a", b: "A" }));
    await bench.complete("a");
    await rig.live(3_000, bench.worker, there.worker);
    await there.complete("A");
    await rig.live(3_000, bench.worker, there.worker);
    await bench.complete("b");
    await rig.live(3_000, bench.worker, there.worker);
    expect(await rig.status(id)).toBe("succeeded");
  });

  test("cancel across: the root on one, what runs on the other", async () => {
    const { rig, bench, other, there } = await startTwo({ serves: "A" });
    await using _ = rig;
    const { id } = await bench.submit(chained({ A: "", b: "A" }));
    await rig.live(100, bench.worker, there.worker);
    expect(there.running).toBe("A");
    await rig.service.cancel({ id, reason: "from here" });
    await rig.live(2_000, bench.worker, there.worker);
    expect(there.worker.cancellations).toMatchObject([{ reason: "from here" }]);
    await there.complete("A");
    await rig.live(2_000, bench.worker, there.worker);
    expect((await other.service.get({ id })).status).toBe("cancelled");
    expect(await bench.statuses(id)).toBe("A:cancelled b:cancelled");
    await expectHealthy(rig);
  });
});

function endsSomething({ links }: TaskTurn): boolean {
  return links?.hasEnded === true;
}

describe("a store that fails", () => {
  test("does not keep an undisturbed graph from running each task once", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit(tasks);
    await finish(bench, id);
    expect(await rig.status(id)).toBe("succeeded");
    expect(sortedLetters(bench.started)).toBe(everyTask);
    await expectHealthy(rig);
  });

  const faults: readonly CommitFault[] = ["contended", "unknown", "lostAnswer", "unavailable"];
  test.each(faults)("to answer with %s where something ends changes nothing", async (fault) => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit(tasks);
    rig.node.store.plan({
      fault,
      // Every second one.
      times: 1_000,
      hits: isEverySecond((batch) =>
        batch.turns.some((turn) => turn.kind === "task" && endsSomething(turn)),
      ),
    });
    await finish(bench, id);
    expect(await rig.status(id)).toBe("succeeded");
    expect(sortedLetters(bench.started)).toBe(everyTask);
    await expectHealthy(rig);
  });

  test.each(["graphs.dependenciesOf", "tasks.readMany", "mail.collect", "pipelines.read"] as const)(
    "at %s a few times delays, and nothing is lost",
    async (call) => {
      const { rig, bench } = await startBench();
      await using _ = rig;
      const { id } = await bench.submit(tasks);
      rig.node.store.failNext(call, 4);
      await finish(bench, id);
      expect(await rig.status(id)).toBe("succeeded");
      expect(sortedLetters(bench.started)).toBe(everyTask);
      await expectHealthy(rig);
    },
  );

  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "the node for good after %i tasks: its next life goes on",
    async (after) => {
      const { rig, bench } = await startBench();
      await using _ = rig;
      const { id } = await bench.submit(tasks);
      for (let done = 0; done < after; done += 1) {
        const [token] = [...bench.worker.running.keys()];
        if (token === undefined) throw new Error("nothing runs");
        await bench.worker.complete(1, token);
        if (done === after - 1) await rig.store.nodes.remove(rig.node.engine.life.incarnation);
        await rig.settle();
      }
      await rig.live(4_000, bench.worker);
      await finish(bench, id);
      expect(await rig.status(id)).toBe("succeeded");
      expect(await bench.statuses(id)).not.toMatch(/failed|cancelled|skipped/);
      await expectHealthy(rig);
    },
  );
});

function isEverySecond<Item>(isMeant: (item: Item) => boolean): (item: Item) => boolean {
  let count = 0;
  return (item) => {
    if (!isMeant(item)) return false;
    count += 1;
    return count % 2 === 1;
  };
}
