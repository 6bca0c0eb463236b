import fc from "fast-check";
import { expect, test } from "vitest";
import { isKantokuError } from "../../sdk/errors.ts";
import type { Graph, GraphTask } from "../../sdk/protocol/graph.ts";
import { EngineRig } from "../support/engine-rig.ts";
import { GraphWorker, graphOf } from "../support/graph-worker.ts";

type Shape = "job" | "skipped" | "pipeline" | "each";

interface Vertex {
  readonly shape: Shape;
  /** Which of those before it it depends on, as bits. */
  readonly before: number;
  /** How many jobs are in it, or how many items. */
  readonly size: number;
}

interface Plan {
  readonly vertices: readonly Vertex[];
  /** Jobs that fail at first, as numbers into all of them. */
  readonly failing: readonly number[];
  /** What is done next, as long as it lasts: a job, or a restart. */
  readonly picks: readonly { readonly isRestart: boolean; readonly pick: number }[];
}

const plans: fc.Arbitrary<Plan> = fc.record({
  vertices: fc.array(
    fc.record({
      shape: fc.constantFrom<Shape>("job", "job", "job", "skipped", "pipeline", "each"),
      before: fc.nat(255),
      size: fc.integer({ min: 1, max: 3 }),
    }),
    { minLength: 1, maxLength: 7 },
  ),
  failing: fc.array(fc.nat(40), { maxLength: 6 }),
  picks: fc.array(fc.record({ isRestart: fc.boolean(), pick: fc.nat(100) }), { maxLength: 40 }),
});

interface Made {
  readonly task: Partial<GraphTask>;
  readonly jobs: readonly string[];
}

type Make = (name: string, before: readonly { task: string }[], size: number) => Made;

const make: Readonly<Record<Shape, Make>> = {
  job: (name, all) => ({ task: { refs: [{ all, at: "" }] }, jobs: [name] }),
  skipped: (name, all) => {
    const when = { input: true, equals: "never" } as const;
    return { task: { refs: [{ all, at: "" }], when }, jobs: [name] };
  },
  pipeline: (name, all, size) => {
    const jobs = Array.from({ length: size }, (_, part) => `${name}p${part}`);
    return { task: { refs: [{ all, at: "" }], graph: lineOf(jobs) }, jobs };
  },
  each: (name, before, size) => {
    const one = `${name}i`;
    const each = graphOf({ [one]: { refs: [{ item: true, at: "" }] } }, one);
    const items = Array.from({ length: size }, (_, item) => `${item}`);
    const after = before.map(({ task }) => task);
    return { task: { each, input: { items }, limit: 2, after }, jobs: [one] };
  },
};

/** Every job has a name of its own, so that what was done can be counted. */
function graphOfPlan({ vertices }: Plan): { graph: Graph; jobs: string[] } {
  const jobs: string[] = [];
  const tasks = vertices.map((vertex, index): [string, Partial<GraphTask>] => {
    const name = `t${index}`;
    const before = vertices.flatMap((_, earlier) =>
      earlier < index && (vertex.before >> earlier) & 1 ? [{ task: `t${earlier}` }] : [],
    );
    const made = make[vertex.shape](name, before, vertex.size);
    jobs.push(...made.jobs);
    return [name, made.task];
  });
  const sinks = { refs: [{ all: vertices.map((_, index) => ({ task: `t${index}` })), at: "" }] };
  const isTaken = vertices.some(({ shape }) => shape === "skipped");
  const last = isTaken ? "t0" : "last";
  const all = isTaken ? tasks : [...tasks, ["last", sinks] as [string, Partial<GraphTask>]];
  if (!isTaken) jobs.push("last");
  return { graph: graphOf(Object.fromEntries(all), last), jobs };
}

function lineOf(names: readonly string[]): Graph {
  const tasks = names.map((name, index): [string, Partial<GraphTask>] => {
    const before = names[index - 1];
    return [name, before === undefined ? {} : { refs: [{ task: before, at: "" }] }];
  });
  return graphOf(Object.fromEntries(tasks), names.at(-1) ?? "");
}

interface Outcome {
  readonly statuses: Readonly<Record<string, string>>;
  readonly output: unknown;
}

async function outcomeOf(rig: EngineRig, root: string): Promise<Outcome> {
  const { tasks } = await rig.service.graph({ id: root });
  const names = new Map(tasks.map(({ id, name }) => [id, name]));
  const named = tasks.map(({ id, name, parent, status }) => [
    id === root ? "root" : `${names.get(parent ?? "")}/${name}`,
    status,
  ]);
  const { output } = await rig.service.get({ id: root });
  return { statuses: Object.fromEntries(named), output };
}

async function start(plan: Plan, failing: readonly string[]) {
  const rig = await EngineRig.start();
  const worker = await GraphWorker.register(rig);
  for (const name of failing) worker.failing.add(name);
  const { graph } = graphOfPlan(plan);
  const { id } = await rig.service.submit({ graph, input: "some" });
  await rig.settle();
  return { rig, worker, root: id };
}

async function undisturbed(plan: Plan): Promise<Outcome & { done: string[] }> {
  const { rig, worker, root } = await start(plan, []);
  await using _ = rig;
  await worker.work();
  return { ...(await outcomeOf(rig, root)), done: worker.done };
}

/** Restarts something that failed, if there is such a thing. */
async function restartOne(rig: EngineRig, root: string, pick: number): Promise<void> {
  const { tasks } = await rig.service.graph({ id: root });
  const failed = tasks.filter(({ status }) => status === "failed");
  const one = failed[pick % Math.max(1, failed.length)];
  if (one === undefined) return;
  await rig.service.restart({ id: one.id }).catch((error: unknown) => {
    if (!isKantokuError(error, "busy")) throw error;
  });
  await rig.settle();
}

async function play(plan: Plan): Promise<void> {
  const expected = await undisturbed(plan);
  const { jobs } = graphOfPlan(plan);
  const failing = plan.failing.flatMap((number) => jobs[number % jobs.length] ?? []);
  const { rig, worker, root } = await start(plan, failing);
  await using _ = rig;
  for (const { isRestart, pick } of plan.picks) {
    if (isRestart) await restartOne(rig, root, pick);
    else await worker.doOne(pick);
    expect(await rig.store.doctor()).toEqual([]);
  }
  await worker.work();
  for (let rounds = 0; (await rig.status(root)) === "failed"; rounds += 1) {
    expect(rounds).toBeLessThan(20);
    await rig.service.restart({ id: root });
    await worker.work();
  }
  const { statuses, output } = await outcomeOf(rig, root);
  expect(output).toEqual(expected.output);
  expect(statuses).toEqual(expected.statuses);
  const broken = new Set(failing.filter((name) => !worker.failing.has(name)));
  expect(worker.done.toSorted()).toEqual([...expected.done, ...broken].toSorted());
  expect(await rig.store.doctor()).toEqual([]);
  expect(rig.node.engine.life.directory.size).toBe(0);
}

test("partial restarts, whichever and whenever, end as an undisturbed run would", async () => {
  await fc.assert(fc.asyncProperty(plans, play), {
    numRuns: Number(process.env["KANTOKU_TEST_PROGRAMS"] ?? 120),
    endOnFailure: false,
  });
}, 600_000);

async function playAgain(plan: Plan & { readonly from: number }): Promise<void> {
  const { jobs } = graphOfPlan(plan);
  const failing = plan.failing.flatMap((number) => jobs[number % jobs.length] ?? []);
  const expected = await undisturbed(plan);
  const { rig, worker, root } = await start(plan, failing);
  await using _ = rig;
  await worker.work();
  const before = await succeededIn(rig, root);
  worker.failing.clear();
  worker.done.length = 0;
  const { tasks } = await rig.service.graph({ id: root });
  const from = tasks[plan.from % tasks.length]?.id ?? root;
  const { id } = await rig.service.restart({ id: root, mode: "newTree", from });
  await worker.work();
  const { statuses, output } = await outcomeOf(rig, id);
  expect(output).toEqual(expected.output);
  for (const [name, status] of Object.entries(statuses)) {
    // What is under a pipeline that is reused as a whole is not there again.
    expect(status).toBe(expected.statuses[name]);
  }
  // Whatever had not succeeded ran, and nothing twice.
  const missing = excess(expected.done, before);
  expect(excess(missing, worker.done)).toEqual([]);
  expect(excess(worker.done, expected.done)).toEqual([]);
  expect(await rig.store.doctor()).toEqual([]);
  expect(rig.node.engine.life.directory.size).toBe(0);
}

async function succeededIn(rig: EngineRig, root: string): Promise<string[]> {
  const { tasks } = await rig.service.graph({ id: root });
  // Of an item the name begins with its number.
  return tasks
    .filter(({ status }) => status === "succeeded")
    .map(({ name }) => name.replace(/^\d+\./, ""));
}

/** What is in one list more often than in the other. */
function excess(list: readonly string[], other: readonly string[]): string[] {
  const left = [...other];
  return list.filter((name) => {
    const index = left.indexOf(name);
    if (index !== -1) left.splice(index, 1);
    return index === -1;
  });
}

test("a new tree from any task ends as an undisturbed run would", async () => {
  const all = fc.tuple(plans, fc.nat(100)).map(([plan, from]) => ({ ...plan, from }));
  await fc.assert(fc.asyncProperty(all, playAgain), {
    numRuns: Number(process.env["KANTOKU_TEST_PROGRAMS"] ?? 120),
    endOnFailure: false,
  });
}, 600_000);
