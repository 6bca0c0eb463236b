import fc from "fast-check";
import { expect, test } from "vitest";
import { Engine } from "../../runtime/engine/engine.ts";
import { systemClock } from "../../runtime/ports/clock.ts";
import { systemEntropy } from "../../runtime/ports/entropy.ts";
import { silentLog } from "../../runtime/ports/log.ts";
import { createServiceParts, EngineService } from "../../runtime/service/service.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import type { TaskRow } from "../../runtime/store/rows.ts";
import type { Store } from "../../runtime/store/store.ts";
import type { Assignment, RegisterParams, Service } from "../../sdk/protocol/service.ts";
import { isEnded } from "../../sdk/protocol/task.ts";
import { openTestDatabase } from "../support/database.ts";
import { EngineRig, type RigNode } from "../support/engine-rig.ts";
import { type GraphProgram, graphPrograms, type Move } from "../support/graph-program.ts";
import { digest, doJob, type End, interpret } from "../support/graph-reference.ts";
import { watch } from "../support/outcome.ts";
import type { ScriptedWorker } from "../support/scripted-worker.ts";

const input = { yes: 1 };

/** A root and all that is under it, under the paths of their names. */
async function readTree(store: Store, root: string): Promise<ReadonlyMap<string, TaskRow>> {
  const rows = await store.tasks.list({
    namespace: "default",
    root,
    order: "ascending",
    limit: 20_000,
  });
  const byId = new Map(rows.map((row) => [row.id, row]));
  const pathOf = ({ parent, place }: TaskRow): string => {
    const above = parent === null ? undefined : byId.get(parent);
    return above === undefined ? "" : `${pathOf(above)}/${place?.name}`;
  };
  return new Map(rows.map((row) => [pathOf(row), row]));
}

/** What the reference says, and what the store holds, have to be the same. */
function expectAsInterpreted(
  tree: ReadonlyMap<string, TaskRow>,
  graph: GraphProgram["graph"],
): void {
  const ends = new Map<string, End>();
  const whole = interpret(graph, { input }, { ends, path: (name) => `/${name}` });
  ends.set("", whole);
  const told = ({ status, output }: { status: string; output: unknown }) =>
    status === "succeeded" ? `succeeded ${digest(output)}` : status;
  const wanted = [...ends].map(([path, end]) => `${path} ${told(end)}`);
  const held = [...tree].map(([path, { status, output }]) => {
    return `${path} ${told({ status, output: JSON.parse(output ?? "null") })}`;
  });
  expect(held.sort()).toEqual(wanted.sort());
  for (const [path, row] of tree) {
    // A branch that was not taken never starts.
    const ran = row.status === "succeeded" || doJobFailed(row);
    if (!ran) expect(`${path} ${row.attempt}`).toBe(`${path} 0`);
  }
}

function doJobFailed({ status, error }: TaskRow): boolean {
  return status === "failed" && JSON.parse(error ?? "{}").message === "boom";
}

const patienceMs = 20_000;

/** One run of a graph, on two nodes that share a worker. */
class Play {
  readonly rig: EngineRig;
  readonly worker: ScriptedWorker;
  readonly #nodes: readonly RigNode[];
  readonly #registration: Partial<RegisterParams>;
  readonly #root: string;
  #at = 0;
  #looked = 0;

  private constructor(parts: {
    rig: EngineRig;
    other: RigNode;
    worker: ScriptedWorker;
    registration: Partial<RegisterParams>;
    root: string;
  }) {
    this.rig = parts.rig;
    this.worker = parts.worker;
    this.#nodes = [parts.rig.node, parts.other];
    this.#registration = parts.registration;
    this.#root = parts.root;
  }

  static async start(rig: EngineRig, { graph, moves }: GraphProgram): Promise<Play> {
    const other = await rig.join();
    await rig.advance(3_000);
    const registration = { name: "w", slots: 1 + (moves[0]?.pick ?? 0) };
    const worker = await rig.worker(registration);
    const { id: root } = await rig.service.submit({ graph, input });
    await rig.settle();
    return new Play({ rig, other, worker, registration, root });
  }

  get root(): string {
    return this.#root;
  }

  async run({ moves, cancel }: GraphProgram): Promise<void> {
    const isReadLate = moves.some(({ before }) => before === "readsFail");
    for (let step = 0; step < 2_000; step += 1) {
      await this.#checkStarts();
      const move = moves[step % moves.length];
      // Each mishap once, or nothing would ever end.
      if (move !== undefined)
        await this.#make(step < moves.length ? move : { ...move, before: null });
      if (step === cancel?.after) await this.#cancel(cancel.task, isReadLate);
      if (await this.#hasEnded()) return;
    }
    throw new Error("it does not end");
  }

  get #node(): RigNode {
    return this.#nodes[this.#at] ?? this.rig.node;
  }

  async #make({ pick, before }: Move): Promise<void> {
    const { rig, worker } = this;
    if (before === "loseLease") {
      await rig.store.nodes.remove(this.#node.engine.life.incarnation);
      await this.pass(4_000);
    } else if (before === "move") {
      this.#at = 1 - this.#at;
      await this.#patiently(() => worker.registerOn(this.#node.service, this.#registration));
    } else if (before === "readsFail") {
      for (const call of ["graphs.dependenciesOf", "mail.collect"] as const) {
        this.#node.store.failNext(call);
      }
    } else if (before !== null) {
      this.#node.store.plan({ fault: before });
    }
    const running = [...worker.running];
    const next = running[pick % (running.length || 1)];
    if (next === undefined) return this.pass(1_000);
    const [token, assignment] = next;
    await this.#report(token, doJob(assignment.input));
    await rig.settle();
  }

  #report(token: string, output: unknown): Promise<unknown> {
    const { worker } = this;
    return this.#patiently(() =>
      output === null ? worker.fail({ retryable: false }, token) : worker.complete(output, token),
    );
  }

  /** Time goes on, and the worker does what the SDK's does: it beats, and registers where it is unknown. */
  async pass(ms: number): Promise<void> {
    const { rig, worker } = this;
    for (let left = ms; left > 0; left -= 1_000) {
      await rig.advance(Math.min(left, 1_000));
      const beat = watch(worker.beat());
      await rig.settle();
      if (beat.error !== undefined) {
        watch(worker.registerOn(this.#node.service, this.#registration));
        await rig.settle();
      }
      const { drop } = beat.value ?? worker.link.registered;
      for (const token of drop) worker.running.delete(token);
    }
  }

  /** Again, while the node cannot answer; and time goes on while it tries. */
  async #patiently<T>(ask: () => Promise<T>): Promise<T> {
    for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += 500) {
      const seen = watch(ask());
      for (let look = 0; look < 50 && !seen.value && !seen.error; look += 1) {
        await (look === 0 ? this.rig.settle() : this.pass(100));
      }
      if (seen.value !== undefined) return seen.value;
      await this.pass(500);
    }
    throw new Error("a call was never answered");
  }

  /** Whoever was started since the last look had nothing left to wait for. */
  async #checkStarts(): Promise<void> {
    const fresh = this.worker.assignments.slice(this.#looked).map(({ task }) => task);
    this.#looked = this.worker.assignments.length;
    const dependencies = await this.rig.store.graphs.dependenciesOf(fresh, 1e9);
    expect(dependencies.filter(({ status }) => !isEnded(status))).toEqual([]);
  }

  async #cancel(task: number, isReadLate: boolean): Promise<void> {
    const { rig, worker } = this;
    const rows = [...(await readTree(rig.store, this.#root)).values()];
    const { id = this.#root } = rows[task % rows.length] ?? {};
    const { accepted } = await this.#patiently(() => this.#node.service.cancel({ id }));
    // Letters that could not be read are read a second later; until then nobody here knows of them.
    await (isReadLate ? this.pass(1_000) : rig.settle());
    const started = worker.assignments.length;
    if (!accepted || id !== this.#root) return;
    while (worker.running.size > 0) {
      for (const token of [...worker.running.keys()]) await this.#report(token, 1);
      await rig.settle();
    }
    await this.pass(2_000);
    // Nothing starts under a root that is cancelled.
    expect(worker.assignments.length).toBe(started);
  }

  async #hasEnded(): Promise<boolean> {
    const tree = await readTree(this.rig.store, this.#root);
    return [...tree.values()].every(({ status }) => isEnded(status));
  }
}

async function playInMemory(program: GraphProgram): Promise<void> {
  await using rig = await EngineRig.start();
  const play = await Play.start(rig, program);
  await play.run(program);
  const tree = await readTree(rig.store, play.root);
  if (program.cancel === null) expectAsInterpreted(tree, program.graph);
  // Letters to those that had ended are read in their own time.
  await play.pass(3_000);
  expect(await rig.store.doctor()).toEqual([]);
  expect(await rig.store.mail.collect(rig.node.engine.life.incarnation, 10, [])).toEqual([]);
  expect(rig.node.engine.life.directory.size).toBe(0);
}

const numRuns = Number(process.env["KANTOKU_TEST_GRAPHS"] ?? 500);

test("whatever ends when, a graph comes to what it means", { timeout: 600_000 }, async () => {
  await fc.assert(fc.asyncProperty(graphPrograms, playInMemory), { numRuns });
});

/** Does what it is given, in an order of its own. */
async function serve(service: Service, random: () => number): Promise<void> {
  const given: Assignment[] = [];
  const takeOne = (): void => {
    const [one] = given.splice(Math.floor(random() * given.length), 1);
    if (one === undefined) return;
    const { token } = one;
    const output = doJob(one.input);
    const error = { name: "Error", message: "boom", retryable: false };
    if (output === null) void service.fail({ token, error });
    else void service.complete({ token, output });
  };
  await service.registerWorker(
    { instance: "instance-1", definitions: [{ name: "job" }], slots: 50 },
    {
      assign(assignment) {
        given.push(assignment);
        setImmediate(takeOne);
      },
      cancel: () => {},
      superseded: () => {},
    },
  );
}

test("on PostgreSQL, too", { timeout: 120_000 }, async () => {
  const { url, close } = await openTestDatabase();
  const store = await openPostgresStore({ url, lanes: 3, log: silentLog });
  const engine = await Engine.start({
    store,
    clock: systemClock,
    entropy: systemEntropy,
    log: silentLog,
  });
  try {
    const service = new EngineService("default", createServiceParts(engine));
    await serve(service, () => systemEntropy.random());
    await fc.assert(
      fc.asyncProperty(graphPrograms, async ({ graph }) => {
        const { id } = await service.submit({ graph, input });
        await service.result({ id }).catch(() => {});
        expectAsInterpreted(await readTree(store, id), graph);
      }),
      { numRuns: 40 },
    );
    await expect.poll(() => store.doctor(), { timeout: 5_000 }).toEqual([]);
  } finally {
    await engine.stop();
    await store.close();
    await close();
  }
});
