import { expect, test } from "vitest";
import { fromStages } from "../../sdk/stages/from-stages.ts";
import { expectHealthy, run, startBench } from "../support/graph-bench.ts";

const urgencies = {
  a: run("a", { priority: 20 }),
  b: run("b"),
  c: run("c", { priority: 1 }),
};

async function inOrder(bench: Awaited<ReturnType<typeof startBench>>["bench"], count: number) {
  for (let done = 0; done < count; done += 1) await bench.complete(bench.running);
}

test("of tasks that a graph begins with, the most urgent gets the slot first", async () => {
  const { rig, bench } = await startBench({ slots: 1 });
  await using _ = rig;
  await bench.submit(urgencies);
  await inOrder(bench, 3);
  expect(bench.started).toBe("cba");
  await expectHealthy(rig);
});

test("of tasks that one end lets begin, the most urgent gets the slot first", async () => {
  const { rig, bench } = await startBench({ slots: 1 });
  await using _ = rig;
  const after = Object.entries(urgencies).map(([name, task]) => [name, { ...task, after: ["x"] }]);
  await bench.submit({ x: run("x"), ...Object.fromEntries(after) });
  await inOrder(bench, 4);
  expect(bench.started).toBe("xcba");
});

test("of tasks in a graph within a graph, too", async () => {
  const { rig, bench } = await startBench({ slots: 1 });
  await using _ = rig;
  await bench.submit({
    x: run("x"),
    p: { graph: { tasks: urgencies, result: "a" }, after: ["x"] },
  });
  await inOrder(bench, 4);
  expect(bench.started).toBe("xcba");
});

test.each([5, 10, 20])(
  "of a stage's jobs, as they are said, in a pipeline of priority %i",
  async (priority) => {
    const { rig, bench } = await startBench({ slots: 1 });
    await using _ = rig;
    const { graph } = fromStages({
      stages: ["s"],
      jobs: [
        { name: "second", stage: "s", kind: "b" },
        { name: "first", stage: "s", kind: "a", priority: 7 },
      ],
    });
    await bench.submit(graph.tasks, { priority });
    await inOrder(bench, 2);
    expect(bench.started).toBe("ab");
  },
);
