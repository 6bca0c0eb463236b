import { expect, test } from "vitest";
import { chained, graphOf, run, startBench } from "../support/graph-bench.ts";

const unserved = { definition: "shell" };
const missing = { reason: "no-worker", message: "no worker serves shell" };

test("a graph tells what is at the bottom of its wait, however deep", async () => {
  const { rig, bench } = await startBench();
  await using _ = rig;
  const { id, tasks } = await bench.submit({
    build: { graph: graphOf({ inner: { graph: graphOf({ compile: unserved }) } }) },
    check: run("a", { after: ["build"] }),
    publish: run("b", { after: ["check"] }),
  });
  const { waitingFor } = await rig.get(id);
  expect(waitingFor?.message).toMatch(/; build\/inner\/compile: no worker serves shell$/);
  expect(waitingFor).toMatchObject({
    reason: "dependencies",
    data: { pending: 3, causes: [{ name: "build/inner/compile", ...missing }] },
  });
  const publish = await rig.get(tasks?.["publish"] ?? "");
  expect(publish.waitingFor?.message).toBe(
    "waits for check (waiting); build/inner/compile: no worker serves shell",
  );
});

test("what runs is no cause, and of many causes three are told", async () => {
  const { rig, bench } = await startBench();
  await using _ = rig;
  const running = await bench.submit(chained({ a: "", b: "a" }));
  expect((await rig.get(running.id)).waitingFor?.data).not.toHaveProperty("causes");
  const many = Object.fromEntries(Array.from({ length: 30 }, (_each, n) => [`t${n}`, unserved]));
  const { id } = await bench.submit(many);
  const told = (await rig.get(id)).waitingFor;
  expect(told?.message.match(/no worker serves shell/g)).toHaveLength(3);
  expect(told?.data?.["causes"]).toHaveLength(3);
});
