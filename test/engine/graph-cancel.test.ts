import { describe, expect, test } from "vitest";
import { chained, expectHealthy, graphOf, run, startBench } from "../support/graph-bench.ts";
import { errorOf } from "../support/outcome.ts";

describe("a cancel", () => {
  const tasks = {
    ...chained({ a: "", b: "a" }),
    p: { graph: graphOf(chained({ x: "", y: "x" })) },
    m: { each: graphOf({ z: run("z") }), input: { items: [1, 2, 3] }, limit: 1, after: ["a"] },
  };

  test("of a root cancels all that is under it", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit(tasks);
    await bench.complete("a");
    expect(bench.running).toBe("bxz");
    expect(await rig.service.cancel({ id, reason: "enough" })).toEqual({
      status: "cancelling",
      accepted: true,
    });
    await rig.settle();
    expect(bench.worker.cancellations).toHaveLength(3);
    await bench.complete("bxz");
    await rig.settle();
    expect(await bench.statuses(id)).toBe(
      "0.z:cancelled 1.z:cancelled 2.z:cancelled a:succeeded b:cancelled m:cancelled " +
        "p:cancelled x:cancelled y:cancelled",
    );
    expect(await errorOf(rig.service.result({ id }))).toMatchObject({
      code: "task-cancelled",
      data: { error: { message: "enough" } },
    });
    expect([...bench.started].sort().join("")).toBe("abxz");
    await expectHealthy(rig);
  });

  test("of a root before anything of it ran starts nothing", async () => {
    const { rig, bench } = await startBench({ slots: 1 });
    await using _ = rig;
    const { id } = await bench.submit(chained({ u: "", v: "", w: "uv" }));
    await rig.service.cancel({ id });
    await rig.settle();
    for (const token of [...bench.worker.running.keys()]) await bench.worker.complete(1, token);
    await rig.live(2_000, bench.worker);
    expect(await rig.status(id)).toBe("cancelled");
    expect(await bench.statuses(id)).toBe("u:cancelled v:cancelled w:cancelled");
  });

  test("of a root starts nothing on its way down, however many tasks there are", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const numbers = Array.from({ length: 300 }, (_, n) => n);
    const { id } = await bench.submit({
      r: run("r"),
      ...Object.fromEntries(
        numbers.map((n) => [`a${n}`, run("a", { after: ["r"], onFailure: "continue" })]),
      ),
      ...Object.fromEntries(numbers.map((n) => [`b${n}`, run("b", { after: [`a${n}`] })])),
    });
    await rig.service.cancel({ id });
    await rig.settle();
    for (const token of [...bench.worker.running.keys()]) await bench.worker.complete(1, token);
    await rig.live(3_000, bench.worker);
    expect(bench.started).toBe("r");
    expect(await rig.status(id)).toBe("cancelled");
    expect(await bench.statuses(id)).not.toMatch(/failed|skipped|succeeded/);
  });

  test("of one task fails what depends on it, and the rest goes on", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id, tasks: ids } = await bench.submit(chained({ a: "", b: "a", c: "b", x: "" }));
    await rig.service.cancel({ id: ids?.["b"] ?? "", reason: "not this one" });
    await rig.settle();
    expect(await bench.statuses(id)).toBe("a:running b:cancelled c:failed x:running");
    await bench.complete("ax");
    expect(await bench.statuses(id)).toBe("a:succeeded b:cancelled c:failed x:succeeded");
    expect(await rig.status(id)).toBe("failed");
    expect(bench.started).toBe("ax");
    await expectHealthy(rig);
  });

  test("of one task that is allowed lets the rest go on without it", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id, tasks: ids } = await bench.submit({
      a: run("a", { onFailure: "allow" }),
      b: run("b", { refs: [{ at: "", task: "a" }] }),
    });
    await rig.service.cancel({ id: ids?.["a"] ?? "" });
    await bench.complete("a", "too late");
    expect(bench.running).toBe("b");
    expect(bench.inputOf("b")).toBeNull();
    await bench.complete("b");
    expect(await rig.status(id)).toBe("succeeded");
  });

  test("of a graph within a graph cancels what is under that", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id, tasks: ids } = await bench.submit({
      p: { graph: graphOf(chained({ x: "", y: "x" })), onFailure: "continue" },
      ...chained({ a: "p" }),
      b: run("b"),
    });
    await rig.service.cancel({ id: ids?.["p"] ?? "" });
    await rig.settle();
    await bench.complete("x");
    expect(await bench.statuses(id)).toBe(
      "a:running b:running p:cancelled x:cancelled y:cancelled",
    );
  });

  test("of the last task does not end the whole while others are under way", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id, tasks: ids } = await bench.submit(chained({ a: "", b: "a" }));
    await rig.service.cancel({ id: ids?.["b"] ?? "" });
    await rig.settle();
    expect(bench.running).toBe("a");
    expect(await rig.status(id)).toBe("running");
    await bench.complete("a");
    expect(await rig.status(id)).toBe("failed");
  });
});

test("a cancel of a root that has ended reaches what is still going on under it", async () => {
  const { rig, bench } = await startBench();
  await using _ = rig;
  const { id } = await rig.service.submit({ definition: "a" });
  await rig.settle();
  const { token } = bench.worker.last;
  const child = await rig.service.submit({ definition: "b", parent: { token, name: "b#1" } });
  await rig.settle();
  await bench.complete("a");
  expect(await rig.service.cancel({ id })).toEqual({ status: "succeeded", accepted: true });
  await rig.settle();
  expect(await rig.status(child.id)).toBe("cancelling");
  await bench.complete("b");
  expect(await rig.status(child.id)).toBe("cancelled");
  expect(await rig.service.cancel({ id })).toEqual({ status: "succeeded", accepted: false });
  await expectHealthy(rig);
});
