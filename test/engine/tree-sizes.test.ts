import { describe, expect, test } from "vitest";
import { limits } from "../../sdk/protocol/limits.ts";
import type { SubmitParams, Submitted } from "../../sdk/protocol/service.ts";
import { type GraphBench, graphOf, run, startBench } from "../support/graph-bench.ts";
import { errorOf } from "../support/outcome.ts";

/** With the task that it is itself, a tenth of what may be under a root. */
const tenth = graphOf(tasksOf(limits.descendantsMax / 10 - 1));
const again = { maxAttempts: 2, minMs: 10, maxMs: 10 };

describe("a root with all the tasks that it may have", () => {
  test("gets no more, whatever its children hold", async () => {
    const { rig, bench } = await startBench({ slots: 1 });
    await using _ = rig;
    const { id } = await rig.service.submit({ definition: "p" });
    await rig.settle();
    const more = Array.from({ length: 15 }, (_, n) => tenthOf(bench, `g#${n}`));
    const outcomes = await Promise.allSettled(more);
    const refused = outcomes.flatMap((it) => (it.status === "rejected" ? [it.reason.code] : []));
    expect(refused).toEqual(Array(5).fill("quota-exceeded"));
    expect(await rig.store.graphs.size(id)).toBe(limits.descendantsMax);
    expect((await rig.service.graph({ id })).tasks).toHaveLength(limits.descendantsMax + 1);
  });

  test("finds them again, by the same attempt and by the next", async () => {
    const { rig, bench } = await startBench({ slots: 1 });
    await using _ = rig;
    await rig.service.submit({ definition: "p", retry: again });
    await rig.settle();
    const made: Submitted[] = [];
    for (let n = 0; n < 10; n += 1) made.push(await tenthOf(bench, `g#${n}`));
    await expectFound(bench, made[0]);
    await failAndGoOn(bench);
    await expectFound(bench, made[0]);
    expect((await errorOf(childOf(bench, "x#1"))).code).toBe("quota-exceeded");
  });
});

test("what an attempt finds again leaves room for what is new", async () => {
  const { rig, bench } = await startBench({ slots: 1 });
  await using _ = rig;
  await rig.service.submit({ definition: "p", retry: again });
  await rig.settle();
  const names = Array.from({ length: 6 }, (_, n) => `g#${n}`);
  const made = await Promise.all(names.map((name) => tenthOf(bench, name)));
  await failAndGoOn(bench);
  const both = [...names.map((name) => tenthOf(bench, name)), childOf(bench, "x#1")];
  const found = await Promise.all(both);
  expect(found.map(({ id }) => id).slice(0, -1)).toEqual(made.map(({ id }) => id));
  expect(found.map(({ created }) => created)).toEqual([...made.map(() => false), true]);
});

test("what could not be written takes up no room", async () => {
  const { rig, bench } = await startBench({ slots: 1 });
  await using _ = rig;
  await rig.service.submit({ definition: "p" });
  await rig.settle();
  for (let n = 0; n < 12; n += 1) {
    rig.node.store.plan({ fault: "refused", times: 1 });
    await errorOf(tenthOf(bench, `g#${n}`));
    rig.node.store.heal();
  }
  expect((await tenthOf(bench, "g#12")).created).toBe(true);
});

test("a graph counts its tasks towards the depth of the tree", async () => {
  const { rig, bench } = await startBench({ slots: 100 });
  await using _ = rig;
  await rig.service.submit({ definition: "p" });
  await rig.settle();
  for (let depth = 1; depth < limits.treeDepthMax; depth += 1) {
    await childOf(bench, "p#1", { definition: "p" });
    await rig.settle();
  }
  const graph = graphOf({ x: run("unserved") });
  const parent = { token: bench.worker.last.token, name: "g#1" };
  const error = await errorOf(rig.service.submit({ graph, parent }));
  expect(error).toMatchObject({ code: "quota-exceeded", message: /at most 16 deep/ });
  expect((await childOf(bench, "x#1")).created).toBe(true);
});

function tasksOf(count: number) {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`t${n}`, run("unserved")]));
}

function tenthOf({ rig, worker }: GraphBench, name: string): Promise<Submitted> {
  return rig.service.submit({ graph: tenth, parent: { token: worker.last.token, name } });
}

function childOf(
  { rig, worker }: GraphBench,
  name: string,
  params: Partial<SubmitParams> = {},
): Promise<Submitted> {
  return rig.service.submit({
    definition: "unserved",
    parent: { token: worker.last.token, name },
    ...params,
  });
}

async function expectFound(bench: GraphBench, made: Submitted | undefined): Promise<void> {
  expect(await tenthOf(bench, "g#0")).toMatchObject({ id: made?.id, created: false });
}

/** Fails the attempt when what is under the root has to be counted again. */
async function failAndGoOn({ rig, worker }: GraphBench): Promise<void> {
  await rig.live(12_000, worker);
  await worker.fail();
  await rig.advance(1_000);
}
