import { describe, expect, test } from "vitest";
import type { SubmitParams } from "../../sdk/protocol/service.ts";
import { chained, expectHealthy, type GraphBench, startBench } from "../support/graph-bench.ts";
import { errorOf } from "../support/outcome.ts";
import { lossesUntilQuarantine } from "../support/poison.ts";

const later = { maxAttempts: 2, minMs: 60_000, maxMs: 60_000 };

describe("a cancel reaches what was started by a task that is not running", () => {
  test("because it waits for its next attempt, under the root", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id, tasks } = await bench.submit({ t: { definition: "t", retry: later } });
    const kid = await childOf(bench, "t", "k");
    await bench.fail("t", { retryable: true });
    expect(await bench.statuses(id)).toBe("k#1:running t:waiting");
    await rig.service.cancel({ id, reason: "enough" });
    await rig.settle();
    expect(await rig.status(tasks?.["t"] ?? "")).toBe("cancelled");
    await expectCancelling(bench, kid, "k");
  });

  test("because it waits for its next attempt, as the root", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const root = await started(bench, { definition: "t", retry: later });
    const kid = await childOf(bench, "t", "k");
    await bench.fail("t", { retryable: true });
    expect(await rig.service.cancel({ id: root })).toMatchObject({ status: "cancelled" });
    await rig.settle();
    await expectCancelling(bench, kid, "k");
  });

  test("because its worker was lost", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { root, kid } = await orphaned(bench);
    expect(await rig.service.cancel({ id: root })).toMatchObject({ status: "cancelled" });
    await rig.settle();
    await expectCancelling(bench, kid, "k");
  });

  test("because it is quarantined", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { root, kid } = await orphaned(bench, { losses: lossesUntilQuarantine });
    expect(await rig.status(root)).toBe("quarantined");
    expect(await rig.service.cancel({ id: root })).toMatchObject({ status: "cancelled" });
    await rig.settle();
    await expectCancelling(bench, kid, "k");
  });

  test("because it has ended, while the root goes on", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit(chained({ t: "", x: "" }));
    await childOf(bench, "t", "k");
    const grandkid = await childOf(bench, "k", "g");
    await bench.complete("tk");
    await rig.service.cancel({ id });
    await rig.settle();
    await expectCancelling(bench, grandkid, "g");
  });

  test("because it has ended before the cancel is there", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { id } = await bench.submit(chained({ t: "", x: "" }));
    const kid = await childOf(bench, "t", "k");
    const release = rig.node.store.holdAnswers("mail.collect");
    await rig.service.cancel({ id });
    await rig.settle();
    expect(await bench.worker.complete(1, tokenOf(bench, "t"))).toEqual({ answer: "recorded" });
    release();
    await rig.live(2_000, bench.worker);
    await expectCancelling(bench, kid, "k");
  });
});

describe("a task that is out of time cancels what it started, while it", () => {
  test("waits for its next attempt", async () => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const root = await started(bench, { definition: "t", timeoutMs: 20_000 });
    const kid = await childOf(bench, "t", "k");
    await rig.live(19_900, bench.worker);
    await bench.worker.refuse("not now", tokenOf(bench, "t"));
    await rig.settle();
    expect(await rig.status(root)).toBe("waiting");
    await rig.live(200, bench.worker);
    expect(await rig.status(root)).toBe("failed");
    await expectCancelling(bench, kid, "k");
  });

  test.each([
    ["is ready", 1],
    ["is quarantined", lossesUntilQuarantine],
  ])("%s", async (_name, losses) => {
    const { rig, bench } = await startBench();
    await using _ = rig;
    const { root, kid } = await orphaned(bench, { losses, timeoutMs: 20_000 });
    await rig.live(22_000, bench.worker);
    expect(await rig.status(root)).toBe("failed");
    await expectCancelling(bench, kid, "k");
  });
});

test("a task that a cancel is on its way to is not restarted until that is there", async () => {
  const { rig, bench } = await startBench();
  await using _ = rig;
  const root = await started(bench, { definition: "t" });
  await childOf(bench, "t", "k");
  const release = rig.node.store.holdAnswers("mail.collect");
  await rig.service.cancel({ id: root });
  await bench.complete("t");
  await bench.fail("k");
  const refused = errorOf(rig.service.restart({ id: root }));
  await rig.advance(1_000);
  expect((await refused).code).toBe("busy");
  release();
  await rig.live(2_000, bench.worker);
  expect(await rig.service.restart({ id: root })).toMatchObject({ restarted: 2 });
  await rig.live(2_000, bench.worker);
  expect(await bench.statuses(root)).toBe("k#1:running");
  await bench.complete("kt");
  expect(await bench.statuses(root)).toBe("k#1:succeeded");
  await expectHealthy(rig);
});

test("a cancel of a task that has not begun writes to nobody", async () => {
  const { rig, bench } = await startBench();
  await using _ = rig;
  const { id } = await rig.service.submit({ definition: "unserved" });
  await rig.settle();
  const before = rig.node.store.sent.length;
  await rig.service.cancel({ id });
  const turns = rig.node.store.sent.slice(before).flatMap(({ turns }) => turns);
  expect(turns).toHaveLength(1);
  expect(turns[0]).not.toHaveProperty("links");
  expect(bench.running).toBe("");
});

async function started({ rig }: GraphBench, params: SubmitParams): Promise<string> {
  const { id } = await rig.service.submit(params);
  await rig.settle();
  return id;
}

/** A child that its parent does not wait for. */
function childOf(bench: GraphBench, parent: string, definition: string): Promise<string> {
  return started(bench, {
    definition,
    parent: { token: tokenOf(bench, parent), name: `${definition}#1` },
  });
}

/** A root whose worker died so many times, each time before anybody else could take it, and a child. */
async function orphaned(
  bench: GraphBench,
  { losses = 1, ...params }: { losses?: number; timeoutMs?: number } = {},
): Promise<{ root: string; kid: string }> {
  const { rig } = bench;
  const root = await started(bench, { definition: "parent", ...params });
  let kid = "";
  for (let death = 0; death < losses; death += 1) {
    const definitions = [{ name: "parent" }];
    const victim = await rig.worker({ name: "victim", instance: `${death}`, definitions });
    await rig.settle();
    const { token } = victim.last;
    kid ||= await started(bench, { definition: "k", parent: { token, name: "k#1" } });
  }
  await rig.worker({ name: "victim", instance: "survivor", definitions: [{ name: "other" }] });
  await rig.settle();
  return { root, kid };
}

async function expectCancelling(bench: GraphBench, id: string, definition: string): Promise<void> {
  const { rig } = bench;
  expect(await rig.status(id)).toBe("cancelling");
  await bench.complete(definition);
  expect(await rig.status(id)).toBe("cancelled");
  await expectHealthy(rig);
}

function tokenOf({ worker }: GraphBench, definition: string): string {
  for (const [token, it] of worker.running) if (it.definition === definition) return token;
  throw new Error(`no ${definition} is running`);
}
