import { expect } from "vitest";
import type { Graph, GraphTask } from "../../sdk/protocol/graph.ts";
import type { GraphSubmit, RegisterParams, Submitted } from "../../sdk/protocol/service.ts";
import type { TaskError } from "../../sdk/protocol/task.ts";
import { EngineRig, type RigNode } from "./engine-rig.ts";
import type { ScriptedWorker } from "./scripted-worker.ts";

/** Every letter is a definition: in these graphs a task is called as what it runs. */
const letters = [..."abcdefghijklmnopqrstuvwxyz"];

/** A task that runs the definition of its own name. */
export function run(definition: string, rest: Omit<GraphTask, "definition"> = {}): GraphTask {
  return { definition, ...rest } as GraphTask;
}

/** Tasks that run what they are called, each after those that it is given. */
export function chained(after: Readonly<Record<string, string>>): Record<string, GraphTask> {
  return Object.fromEntries(
    Object.entries(after).map(([name, before]) => [name, run(name, { after: [...before] })]),
  );
}

export function graphOf(
  tasks: Readonly<Record<string, GraphTask>>,
  result = Object.keys(tasks).at(-1) ?? "",
): Graph {
  return { tasks, result };
}

export async function startBench({
  slots = 1_000,
  ...options
}: Parameters<typeof EngineRig.start>[0] & { slots?: number } = {}): Promise<{
  rig: EngineRig;
  bench: GraphBench;
}> {
  const rig = await EngineRig.start(options);
  return { rig, bench: await GraphBench.start(rig, { slots }) };
}

export async function expectHealthy(rig: EngineRig): Promise<void> {
  expect(await rig.store.doctor()).toEqual([]);
}

interface BenchOptions {
  readonly slots?: number;
  readonly node?: RigNode;
  readonly serves?: Iterable<string>;
}

/** A worker for graphs, and what has become of their tasks. */
export class GraphBench {
  readonly rig: EngineRig;
  worker: ScriptedWorker;
  readonly #registration: Partial<RegisterParams>;

  private constructor(rig: EngineRig, worker: ScriptedWorker, params: Partial<RegisterParams>) {
    this.rig = rig;
    this.worker = worker;
    this.#registration = params;
  }

  static async start(
    rig: EngineRig,
    { slots = 1_000, node = rig.node, serves = letters }: BenchOptions = {},
  ): Promise<GraphBench> {
    const definitions = Array.from(serves, (name) => ({ name }));
    const name = `bench-of-${definitions.length}`;
    const params = { name, instance: `${name}-1`, definitions, slots };
    return new GraphBench(rig, await rig.worker(params, node), params);
  }

  /** The worker's socket goes to another node; it keeps what it runs. */
  async moveTo(node: RigNode): Promise<void> {
    await this.worker.registerOn(node.service, this.#registration);
    await this.rig.settle();
  }

  async submit(
    tasks: Readonly<Record<string, GraphTask>>,
    params: Omit<Partial<GraphSubmit>, "graph"> & { result?: string } = {},
    node = this.rig.node,
  ): Promise<Submitted> {
    const { result, ...rest } = params;
    const submitted = await node.service.submit({ graph: graphOf(tasks, result), ...rest });
    await this.rig.settle();
    return submitted;
  }

  /** What runs on the worker, in the order of names. */
  get running(): string {
    return Array.from(this.worker.running.values(), ({ definition }) => definition)
      .sort()
      .join("");
  }

  /** Definitions in the order in which they were given to the worker. */
  get started(): string {
    return this.worker.assignments.map(({ definition }) => definition).join("");
  }

  /** The input of the last assignment of a definition. */
  inputOf(definition: string): unknown {
    return this.worker.assignments.findLast((it) => it.definition === definition)?.input;
  }

  async complete(definitions: string, output: unknown = null): Promise<void> {
    for (const definition of definitions) {
      await this.worker.complete(output, this.#tokenOf(definition));
    }
    await this.rig.settle();
  }

  async fail(definition: string, error: Partial<TaskError> = {}): Promise<void> {
    await this.worker.fail({ retryable: false, ...error }, this.#tokenOf(definition));
    await this.rig.settle();
  }

  /** Statuses under a root by name, as `name:status` in the order of names. */
  async statuses(root: string, node = this.rig.node): Promise<string> {
    const { tasks } = await node.service.graph({ id: root });
    return tasks
      .filter(({ id }) => id !== root)
      .map(({ name, status }) => `${name}:${status}`)
      .sort()
      .join(" ");
  }

  #tokenOf(definition: string): string {
    for (const [token, it] of this.worker.running) if (it.definition === definition) return token;
    throw new Error(`no ${definition} is running, but ${this.running || "nothing"}`);
  }
}
