import { describe, expect, test } from "vitest";
import { chained, expectHealthy, graphOf, run, startBench } from "../support/graph-bench.ts";
import { errorOf } from "../support/outcome.ts";

const timeoutMs = 5_000;

describe("a graph with a timeout", () => {
  test("fails when its time is over, and takes what is under it along", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const tasks = { a: run("a"), ...chained({ b: "a", c: "b" }) };
    const { id } = await bench.submit(tasks, { timeoutMs });
    await bench.complete("a");
    await rig.live(timeoutMs - 1_500, bench.worker);
    expect(await rig.status(id)).toBe("running");
    await rig.live(3_000, bench.worker);
    expect(await errorOf(rig.service.result({ id }))).toMatchObject({ code: "task-timed-out" });
    expect(bench.worker.cancellations).toMatchObject([{ reason: "timed out" }]);
    await bench.complete("b");
    expect(await bench.statuses(id)).toBe("a:succeeded b:cancelled c:cancelled");
    await expectHealthy(rig);
  });

  test("that ends in time is left alone afterwards", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit({ a: run("a") }, { timeoutMs });
    await bench.complete("a", 7);
    await rig.live(timeoutMs + 2_000, bench.worker);
    expect(await rig.service.result({ id })).toMatchObject({ status: "succeeded", output: 7 });
    await expectHealthy(rig);
  });

  test("runs out of time on the node that takes over", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit({ a: run("a") }, { timeoutMs });
    const other = await rig.join();
    rig.node.crash();
    await bench.moveTo(other);
    await rig.live(30_000, bench.worker);
    expect(await errorOf(other.service.result({ id }))).toMatchObject({ code: "task-timed-out" });
  });

  test("counts anew when it is restarted", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit({ a: run("a") }, { timeoutMs });
    await rig.live(timeoutMs - 1_000, bench.worker);
    await bench.fail("a");
    expect(await rig.status(id)).toBe("failed");
    await rig.service.restart({ id, mode: "inPlace" });
    await rig.settle();
    await rig.live(timeoutMs - 1_500, bench.worker);
    expect(await rig.status(id)).toBe("running");
    await rig.live(3_000, bench.worker);
    expect(await errorOf(rig.service.result({ id }))).toMatchObject({ code: "task-timed-out" });
    await expectHealthy(rig);
  });

  test("by a name, or as a part of another, counts from when it begins", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    await rig.service.registerPipeline({ name: "media", graph: graphOf({ x: run("x") }) });
    const whole = await rig.service.submit({ definition: "media", timeoutMs });
    const { id } = await bench.submit({
      a: run("a"),
      p: { definition: "media", timeoutMs, after: ["a"], onFailure: "allow" },
      b: run("b", { after: ["p"] }),
    });
    await rig.live(timeoutMs + 1_500, bench.worker);
    expect(await errorOf(rig.service.result({ id: whole.id }))).toMatchObject({
      code: "task-timed-out",
    });
    await bench.complete("a");
    expect(await bench.statuses(id)).toContain("p:running");
    await rig.live(timeoutMs + 1_500, bench.worker);
    expect(await bench.statuses(id)).toContain("b:running p:failed");
  });

  test("ends while a cancel is cleaned up, as cancelled", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit({ a: run("a") }, { timeoutMs });
    await rig.live(timeoutMs - 2_000, bench.worker);
    await rig.service.cancel({ id });
    await rig.live(4_000, bench.worker);
    expect(await rig.status(id)).toBe("cancelling");
    await bench.complete("a");
    expect(await rig.status(id)).toBe("cancelled");
    await expectHealthy(rig);
  });
});

test("children of a task that runs out of time are cancelled", async () => {
  const { rig, bench } = await startBench();
  await using _ = rig;
  const { id } = await rig.service.submit({ definition: "a", timeoutMs });
  await rig.settle();
  const { token } = bench.worker.last;
  await rig.service.submit({ definition: "b", parent: { token, name: "b#1" } });
  await rig.settle();
  await rig.live(timeoutMs + 1_000, bench.worker);
  expect(await errorOf(rig.service.result({ id }))).toMatchObject({ code: "task-timed-out" });
  expect(bench.worker.cancellations.map(({ reason }) => reason)).toEqual([
    "timed out",
    "timed out",
  ]);
});
