import { DBOS } from "@dbos-inc/dbos-sdk";
import {
  keepInFlight,
  type Measure,
  measureLatency,
  measureRate,
  taskInput,
  timed,
} from "../figures.ts";

const inFlight = 100;
const children = 100;
const stepsPerWorkflow = 10;

const noop = DBOS.registerWorkflow(async (_input: typeof taskInput) => ({ ok: true }), {
  name: "noop",
});

const steps = DBOS.registerWorkflow(
  async (input: typeof taskInput) => {
    for (let step = 0; step < stepsPerWorkflow; step += 1)
      await DBOS.runStep(async () => input.note, { name: "noop" });
  },
  { name: "steps" },
);

const fanOut = DBOS.registerWorkflow(
  async () => {
    const handles = await Promise.all(
      Array.from({ length: children }, () => DBOS.startWorkflow(noop)(taskInput)),
    );
    const results = await Promise.all(handles.map((handle) => handle.getResult()));
    return results.length;
  },
  { name: "fanOut" },
);

export const measure: Measure = async (databaseUrl, report) => {
  DBOS.setConfig({
    name: "kantoku-bench",
    systemDatabaseUrl: databaseUrl,
    logLevel: "error",
  });
  await DBOS.launch();

  async function runTask(): Promise<void> {
    const handle = await DBOS.startWorkflow(noop)(taskInput);
    await handle.getResult();
  }
  async function runTasks(count: number): Promise<number> {
    return timed(() => keepInFlight({ count, inFlight }, runTask));
  }
  async function runSteps(count: number): Promise<number> {
    const workflows = Math.ceil(count / stepsPerWorkflow);
    return timed(() =>
      keepInFlight({ count: workflows, inFlight }, async () => {
        const handle = await DBOS.startWorkflow(steps)(taskInput);
        await handle.getResult();
      }),
    );
  }
  async function runFanOut(): Promise<void> {
    const handle = await DBOS.startWorkflow(fanOut)();
    await handle.getResult();
  }

  report(await measureLatency("latency", { samples: 200, once: runTask }));
  const tasks = { workload: "noop-throughput", unit: "tasks/s" };
  report(await measureRate(tasks, { count: 2_000, run: runTasks }));
  report(await measureLatency("graph-1-100-1", { samples: 10, once: runFanOut }));
  const stepNames = { workload: "steps", unit: "steps/s" };
  report(await measureRate(stepNames, { count: 3_000, run: runSteps }));
  await DBOS.shutdown();
};
