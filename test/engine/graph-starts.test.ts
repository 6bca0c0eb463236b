import { expect, test } from "vitest";
import type { Submitted } from "../../sdk/protocol/service.ts";
import {
  expectHealthy,
  type GraphBench,
  graphOf,
  run,
  startBench,
} from "../support/graph-bench.ts";
import { errorOf } from "../support/outcome.ts";

const graph = graphOf({ a: run("a"), b: run("b", { after: ["a"] }) }, "b");
const hour = 3_600_000;

/** Each way to submit the graph with a start. */
const ways: Readonly<Record<string, (bench: GraphBench, rest: object) => Promise<Submitted>>> = {
  "a graph": ({ rig }, rest) => rig.service.submit({ graph, ...rest }),
  "a named pipeline": async ({ rig }, rest) => {
    await rig.service.registerPipeline({ name: "media", graph });
    return rig.service.submit({ definition: "media", ...rest });
  },
  "a child that is a graph": async ({ rig, worker }, rest) => {
    await rig.submit({ definition: "p" });
    return rig.service.submit({
      graph,
      parent: { token: worker.last.token, name: "g#1" },
      ...rest,
    });
  },
};

test.each(Object.entries(ways))("%s begins at its start, and not before", async (_name, submit) => {
  const { rig, bench } = await startBench();
  await using _ = rig;
  const startAt = rig.clock.now() + hour;
  const { id, status, tasks } = await submit(bench, { startAt });
  await rig.settle();
  expect([status, tasks]).toEqual(["waiting", undefined]);
  expect((await rig.get(id)).waitingFor).toMatchObject({ reason: "start-time" });
  const known = (await rig.service.list({})).tasks.length;
  await rig.live(hour - 10_000, bench.worker);
  expect((await rig.service.list({})).tasks).toHaveLength(known);
  await expectHealthy(rig);
  await rig.live(20_000, bench.worker);
  expect((await rig.get(id)).startedAt).toBeGreaterThanOrEqual(startAt);
  await bench.complete("ab");
  expect(await rig.status(id)).toBe("succeeded");
  expect(await rig.types(id)).toEqual([
    "task.submitted",
    "task.readied",
    "task.resolved",
    "task.succeeded",
  ]);
  await expectHealthy(rig);
});

test("a start in the past is none", async () => {
  const { rig, bench } = await startBench();
  await using _ = rig;
  const { status, tasks } = await rig.service.submit({ graph, startAt: rig.clock.now() - 1 });
  await rig.settle();
  expect([status, Object.keys(tasks ?? {})]).toEqual(["running", ["a", "b"]]);
  expect(bench.running).toBe("a");
});

test("a graph that is cancelled before its start is restarted for that start", async () => {
  const { rig, bench } = await startBench();
  await using _ = rig;
  const { id } = await rig.service.submit({ graph, startAt: rig.clock.now() + hour });
  await rig.service.cancel({ id });
  expect(await rig.status(id)).toBe("cancelled");
  expect(await rig.service.restart({ id })).toEqual({ id, restarted: 1 });
  await rig.live(hour - 10_000, bench.worker);
  expect([await rig.status(id), bench.started]).toEqual(["waiting", ""]);
  await rig.service.cancel({ id });
  await rig.live(20_000, bench.worker);
  expect([await rig.status(id), bench.started]).toEqual(["cancelled", ""]);
  await rig.service.restart({ id });
  await rig.settle();
  await bench.complete("ab");
  expect(await rig.status(id)).toBe("succeeded");
  await expectHealthy(rig);
});

test("a graph that is cancelled before its start is done again in a new tree, at once", async () => {
  const { rig, bench } = await startBench();
  await using _ = rig;
  const { id: old } = await rig.service.submit({ graph, startAt: rig.clock.now() + hour });
  await rig.service.cancel({ id: old });
  const { id, restarted } = await rig.service.restart({ id: old, mode: "newTree" });
  await rig.settle();
  expect(restarted).toBe(3);
  await bench.complete("ab");
  expect(await rig.status(id)).toBe("succeeded");
  await expectHealthy(rig);
});

test("the time of a graph is counted from its start", async () => {
  const { rig, bench } = await startBench();
  await using _ = rig;
  const startAt = rig.clock.now() + hour;
  const { id } = await rig.service.submit({ graph, startAt, timeoutMs: 60_000 });
  await rig.live(hour + 50_000, bench.worker);
  expect([await rig.status(id), bench.running]).toEqual(["running", "a"]);
  await rig.live(20_000, bench.worker);
  expect((await rig.get(id)).error).toMatchObject({ code: "timed-out" });
  await bench.complete("a");
  await expectHealthy(rig);
});

test("another node begins it when its own is gone", async () => {
  const { rig, bench } = await startBench();
  await using _ = rig;
  const other = await rig.join();
  const { id } = await other.service.submit({ graph, startAt: rig.clock.now() + hour });
  other.crash();
  await rig.live(hour + 30_000, bench.worker);
  await bench.complete("ab");
  expect(await rig.status(id)).toBe("succeeded");
  await expectHealthy(rig);
});

test("what cannot be laid out is refused with its submit, not at its start", async () => {
  const { rig, bench } = await startBench();
  await using _ = rig;
  await rig.service.registerPipeline({ name: "media", graph });
  const startAt = rig.clock.now() + hour;
  const outer = graphOf({ m: { definition: "media", retry: {} } });
  const refused = await errorOf(rig.service.submit({ graph: outer, startAt }));
  expect([refused.code, bench.running]).toEqual(["invalid-params", ""]);
  expect((await rig.service.list({})).tasks).toEqual([]);
});

test("the key of a graph that waits for its start finds it", async () => {
  const { rig } = await startBench();
  await using _ = rig;
  const submission = { graph, startAt: rig.clock.now() + hour, idempotencyKey: "k" };
  const first = await rig.service.submit(submission);
  expect(await rig.service.submit(submission)).toEqual({ ...first, created: false });
});
