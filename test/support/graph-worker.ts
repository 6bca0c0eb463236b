import type { Graph, GraphTask } from "../../sdk/protocol/graph.ts";
import type { Assignment } from "../../sdk/protocol/service.ts";
import type { EngineRig } from "./engine-rig.ts";
import type { ScriptedWorker } from "./scripted-worker.ts";

/** A graph of `job`s from what is told of each; every job knows its name by its label. */
export function graphOf(
  tasks: Readonly<Record<string, Partial<GraphTask>>>,
  result: string,
): Graph {
  const vertices = Object.entries(tasks).map(([name, vertex]) => {
    const isJob = !("graph" in vertex || "each" in vertex);
    const own = isJob ? { definition: "job", labels: { name } } : { labels: { name } };
    return [name, { ...own, ...vertex }];
  });
  return { tasks: Object.fromEntries(vertices), result };
}

/** Does the jobs of graphs, all that it is given at once, and keeps a list of what it did. */
export class GraphWorker {
  /** Names of the jobs, in the order in which they were done. */
  readonly done: string[] = [];
  /** Those whose next attempt fails for good. */
  readonly failing = new Set<string>();
  readonly #rig: EngineRig;
  readonly #worker: ScriptedWorker;

  private constructor(rig: EngineRig, worker: ScriptedWorker) {
    this.#rig = rig;
    this.#worker = worker;
  }

  static async register(rig: EngineRig): Promise<GraphWorker> {
    return new GraphWorker(rig, await rig.worker({ slots: 50 }));
  }

  /** The names of what runs now. */
  get running(): string[] {
    return Array.from(this.#worker.running.values(), nameOf).sort();
  }

  /** Does one running job of this name, with its input as its output. */
  async finish(name: string): Promise<void> {
    const found = [...this.#worker.running.values()].find((it) => nameOf(it) === name);
    if (found === undefined) throw new Error(`${name} does not run`);
    await this.#report(found);
    await this.#rig.settle();
  }

  /** Does one of the jobs that run, whichever; false: none does. */
  async doOne(pick = 0): Promise<boolean> {
    const running = [...this.#worker.running.values()];
    const one = running[pick % Math.max(1, running.length)];
    if (one !== undefined) await this.#report(one);
    await this.#rig.settle();
    return one !== undefined;
  }

  /** Works until nothing is left to do. */
  async work(): Promise<void> {
    await this.#rig.settle();
    while (await this.doOne());
  }

  async #report(assignment: Assignment): Promise<void> {
    const name = nameOf(assignment);
    this.done.push(name);
    const { token, input } = assignment;
    if (this.failing.delete(name)) {
      await this.#worker.fail({ message: `${name} broke`, retryable: false }, token);
    } else {
      await this.#worker.complete([name, input], token);
    }
  }
}

function nameOf({ labels, input, task }: Assignment): string {
  const name = labels["name"] ?? task;
  const isItem = typeof input === "string" && name === "item";
  return isItem ? `item ${input}` : name;
}
