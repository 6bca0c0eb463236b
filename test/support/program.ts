import fc from "fast-check";
import type { TaskRow } from "../../runtime/store/rows.ts";
import type { RegisterParams, SubmitParams } from "../../sdk/protocol/service.ts";
import { isEnded } from "../../sdk/protocol/task.ts";
import { EngineRig, type RigNode } from "./engine-rig.ts";
import type { CommitFault } from "./faulty-store.ts";
import { ScriptedWorker } from "./scripted-worker.ts";

/** What may happen to nodes, as plain data: numbers pick from what is there, modulo its count. */
type Command =
  | { readonly do: "submit"; readonly node: number; readonly params: SubmitParams }
  | { readonly do: "cancel"; readonly node: number; readonly task: number }
  | {
      readonly do: "report";
      readonly worker: number;
      readonly attempt: number;
      readonly how: Report;
    }
  | { readonly do: "reportAgain"; readonly node: number; readonly report: number }
  | { readonly do: "step"; readonly worker: number; readonly attempt: number; readonly use: number }
  | { readonly do: "forget"; readonly worker: number; readonly attempt: number }
  | { readonly do: "beat" }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "detach"; readonly worker: number }
  | { readonly do: "registerAgain"; readonly worker: number; readonly node: number }
  | { readonly do: "replace"; readonly worker: number; readonly node: number }
  | { readonly do: "drain"; readonly worker: number }
  | { readonly do: "loseLease"; readonly node: number }
  | {
      readonly do: "fault";
      readonly node: number;
      readonly fault: CommitFault;
      readonly times: number;
    };

type Report = "complete" | "fail" | "failForGood" | "refuse";

export interface Program {
  readonly nodes: number;
  readonly slots: readonly number[];
  readonly commands: readonly Command[];
}

const pick = fc.nat(30);
const small = fc.integer({ min: 1, max: 5 }).map((count) => count * 300);
const params: fc.Arbitrary<SubmitParams> = fc.record(
  {
    definition: fc.constantFrom("job", "job", "other"),
    version: fc.constantFrom("", "1"),
    idempotencyKey: fc.constantFrom("k1", "k2"),
    priority: fc.integer({ min: 9, max: 11 }),
    startAt: fc.integer({ min: 0, max: 4_000 }),
    timeoutMs: small,
    attemptTimeoutMs: small,
    retry: fc.record({ maxAttempts: fc.integer({ min: 1, max: 4 }), minMs: fc.nat(500) }),
  },
  { requiredKeys: ["definition"] },
);

function commandsOf(faults: readonly CommitFault[]): fc.Arbitrary<Command> {
  const weigh = <Data extends object>(
    weight: number,
    name: Command["do"],
    data: fc.Arbitrary<Data> = fc.constant({} as Data),
  ) => ({
    weight,
    arbitrary: data.map((members) => ({ do: name, ...members }) as never as Command),
  });
  const how = fc.constantFrom<Report>("complete", "complete", "fail", "failForGood", "refuse");
  return fc.oneof(
    weigh(12, "submit", fc.record({ node: pick, params })),
    weigh(12, "report", fc.record({ worker: pick, attempt: pick, how })),
    weigh(5, "wait", fc.record({ ms: fc.constantFrom(0, 100, 400, 1_500) })),
    weigh(3, "cancel", fc.record({ node: pick, task: pick })),
    weigh(3, "step", fc.record({ worker: pick, attempt: pick, use: fc.nat(2) })),
    weigh(3, "beat"),
    weigh(2, "reportAgain", fc.record({ node: pick, report: pick })),
    weigh(2, "forget", fc.record({ worker: pick, attempt: pick })),
    weigh(1, "detach", fc.record({ worker: pick })),
    weigh(2, "registerAgain", fc.record({ worker: pick, node: pick })),
    weigh(2, "replace", fc.record({ worker: pick, node: pick })),
    weigh(1, "drain", fc.record({ worker: pick })),
    weigh(faults.length === 0 ? 0 : 1, "loseLease", fc.record({ node: pick })),
    weigh(
      faults.length === 0 ? 0 : 2,
      "fault",
      fc.record({
        node: pick,
        fault: fc.constantFrom(...(faults.length === 0 ? ["contended" as const] : faults)),
        times: fc.integer({ min: 1, max: 3 }),
      }),
    ),
  );
}

/** `faults`: what commits may meet; none means that nodes keep their leases, too. */
export function programs(options: { faults: readonly CommitFault[] }): fc.Arbitrary<Program> {
  return fc.record({
    nodes: fc.integer({ min: 1, max: 2 }),
    slots: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }),
    commands: fc.array(commandsOf(options.faults), { maxLength: 60, size: "max" }),
  });
}

interface Post {
  readonly name: string;
  readonly slots: number;
  worker: ScriptedWorker;
  instance: string;
  node: RigNode;
  isAttached: boolean;
}

/** Runs a program, and then heals everything until all is done. */
export class ProgramRun implements AsyncDisposable {
  readonly rig: EngineRig;
  readonly nodes: readonly RigNode[];
  readonly tasks: string[] = [];
  readonly alarmsAtRest: number;
  readonly #posts: Post[] = [];
  readonly #reported: { readonly token: string; readonly output: unknown }[] = [];
  /** Calls that were made and need not be answered yet. */
  readonly #calls: Promise<unknown>[] = [];
  #instances = 0;

  private constructor(rig: EngineRig, nodes: readonly RigNode[]) {
    this.rig = rig;
    this.nodes = nodes;
    this.alarmsAtRest = rig.clock.alarmCount;
  }

  static async start({ nodes: count, slots }: Program): Promise<ProgramRun> {
    const rig = await EngineRig.start();
    const nodes = [rig.node];
    while (nodes.length < count) nodes.push(await rig.join());
    await rig.advance(count > 1 ? 3_000 : 0);
    const run = new ProgramRun(rig, nodes);
    for (const [index, each] of slots.entries()) await run.#hire(`w${index}`, each, index);
    return run;
  }

  async execute(commands: readonly Command[]): Promise<void> {
    for (const command of commands) {
      await this.#do(command);
      this.#check();
    }
  }

  /** No more faults; workers do their work; all tasks come to an end. */
  async finish(): Promise<void> {
    for (const { store } of this.nodes) store.heal();
    await this.rig.advance(3_000);
    for (const [index, post] of this.#posts.entries()) {
      await this.#replace(post, this.#at(this.nodes, index));
    }
    for (let round = 0; round < 60; round += 1) {
      await this.#beat();
      await this.rig.advance(1_000);
      this.#check();
      for (const { worker } of this.#posts) {
        for (const token of [...worker.running.keys()]) this.#call(worker.complete(token, token));
      }
      await this.rig.settle();
      if (await this.#isDone()) break;
    }
    await Promise.all(this.#calls);
    // Leases of earlier incarnations run out; what still rings has rung.
    await this.rig.live(14_000, ...this.#posts.map(({ worker }) => worker));
  }

  /** Every task that was written, those whose submitter never heard of it included. */
  allTasks(): Promise<readonly TaskRow[]> {
    return this.rig.store.tasks.list({ namespace: "default", order: "ascending", limit: 1_000 });
  }

  async #isDone(): Promise<boolean> {
    const rows = await this.allTasks();
    return rows.every(({ status }) => isEnded(status) || status === "quarantined");
  }

  #check(): void {
    for (const { worker, slots } of this.#posts) {
      if (worker.mostRunning > slots)
        throw new Error(`${worker.mostRunning} ran on ${slots} slots`);
    }
  }

  async #do(command: Command): Promise<void> {
    switch (command.do) {
      case "submit": {
        const { startAt, ...params } = command.params;
        const later = startAt === undefined ? {} : { startAt: this.rig.clock.now() + startAt };
        const { service } = this.#at(this.nodes, command.node);
        this.#call(
          service.submit({ ...params, ...later }).then(({ id }) => {
            if (!this.tasks.includes(id)) this.tasks.push(id);
          }),
        );
        return this.rig.settle();
      }
      case "cancel": {
        const id = this.tasks[command.task % (this.tasks.length || 1)];
        if (id === undefined) return;
        this.#call(this.#at(this.nodes, command.node).service.cancel({ id }));
        return this.rig.settle();
      }
      case "report":
        this.#report(command);
        return this.rig.settle();
      case "reportAgain": {
        const report = this.#reported[command.report % (this.#reported.length || 1)];
        if (report === undefined) return;
        this.#call(this.#at(this.nodes, command.node).service.complete(report));
        return this.rig.settle();
      }
      case "step": {
        const { worker } = this.#at(this.#posts, command.worker);
        const token = [...worker.running.keys()].at(command.attempt % (worker.running.size || 1));
        if (token === undefined) return;
        this.#call(worker.step("s", command.use, command.use + 1, token));
        return this.rig.settle();
      }
      case "forget": {
        const { worker } = this.#at(this.#posts, command.worker);
        const token = [...worker.running.keys()].at(command.attempt % (worker.running.size || 1));
        if (token !== undefined) worker.running.delete(token);
        return;
      }
      case "beat":
        return this.#beat();
      case "wait":
        return this.rig.advance(command.ms);
      case "detach": {
        const post = this.#at(this.#posts, command.worker);
        post.isAttached = false;
        post.worker.link.detach();
        return this.rig.settle();
      }
      case "registerAgain": {
        const post = this.#at(this.#posts, command.worker);
        return this.#attach(post, this.#at(this.nodes, command.node));
      }
      case "replace": {
        const post = this.#at(this.#posts, command.worker);
        return this.#replace(post, this.#at(this.nodes, command.node));
      }
      case "drain": {
        this.#call(this.#at(this.#posts, command.worker).worker.drain());
        return this.rig.settle();
      }
      case "loseLease":
        await this.rig.store.nodes.remove(
          this.#at(this.nodes, command.node).engine.life.incarnation,
        );
        return;
      case "fault": {
        const { fault, times } = command;
        this.#at(this.nodes, command.node).store.plan({ fault, times });
        return;
      }
    }
  }

  #report({ worker: index, attempt, how }: Extract<Command, { do: "report" }>): void {
    const { worker } = this.#at(this.#posts, index);
    const token = [...worker.running.keys()].at(attempt % (worker.running.size || 1));
    if (token === undefined) return;
    this.#reported.push({ token, output: how });
    const reports = {
      complete: () => worker.complete(how, token),
      fail: () => worker.fail({}, token),
      failForGood: () => worker.fail({ retryable: false }, token),
      refuse: () => worker.refuse(how, token),
    };
    this.#call(reports[how]());
  }

  async #beat(): Promise<void> {
    for (const post of this.#posts) {
      if (!post.isAttached) continue;
      const listed = [...post.worker.running.keys()];
      const beat = await settled(post.worker.beat(listed));
      for (const token of beat?.drop ?? []) post.worker.running.delete(token);
      // As the SDK's worker does: who is not known any more registers anew.
      if (beat === null || post.worker.isSuperseded) await this.#attach(post, post.node);
    }
  }

  async #hire(name: string, slots: number, index: number): Promise<void> {
    const node = this.#at(this.nodes, index);
    const instance = this.#nextInstance();
    const worker = await ScriptedWorker.register(
      node.service,
      registration({ name, slots, instance }),
    );
    this.#posts.push({ name, slots, worker, instance, node, isAttached: true });
  }

  async #attach(post: Post, node: RigNode): Promise<void> {
    if (post.worker.isSuperseded) return this.#replace(post, node);
    if (node !== post.node) post.worker.link.detach();
    const registering = post.worker.registerOn(node.service, registration(post));
    const link = await settled(this.#patiently(registering));
    if (link === null) return;
    for (const token of link.registered.drop) post.worker.running.delete(token);
    post.node = node;
    post.isAttached = true;
    await this.rig.settle();
  }

  /** The process dies; another begins under its name. */
  async #replace(post: Post, node: RigNode): Promise<void> {
    post.worker.running.clear();
    post.worker.link.detach();
    post.instance = this.#nextInstance();
    const registering = ScriptedWorker.register(node.service, registration(post));
    const worker = await settled(this.#patiently(registering));
    if (worker === null) {
      post.isAttached = false;
      return;
    }
    post.worker = worker;
    post.node = node;
    post.isAttached = true;
    await this.rig.settle();
  }

  /** Time goes on while a registration waits for a commit that has to be sent again. */
  async #patiently<T>(promise: Promise<T>): Promise<T> {
    let isPending = true;
    const done = promise.finally(() => {
      isPending = false;
    });
    done.catch(() => {});
    for (let round = 0; round < 50; round += 1) {
      await this.rig.settle();
      if (!isPending) break;
      await this.rig.advance(100);
    }
    return done;
  }

  #call(promise: Promise<unknown>): void {
    this.#calls.push(promise.catch(() => undefined));
  }

  #nextInstance(): string {
    this.#instances += 1;
    return `instance-${this.#instances}`;
  }

  #at<Item>(items: readonly Item[], index: number): Item {
    const item = items[index % items.length];
    if (item === undefined) throw new Error("there is nothing to pick from");
    return item;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rig[Symbol.asyncDispose]();
  }
}

const definitions = [
  { name: "job", version: "1" },
  { name: "job" },
  { name: "other", version: "1" },
];

function registration(post: {
  name: string;
  slots: number;
  instance: string;
}): Partial<RegisterParams> {
  const { name, slots, instance } = post;
  return { name, slots, instance, definitions };
}

async function settled<T>(promise: Promise<T>): Promise<T | null> {
  try {
    return await promise;
  } catch {
    return null;
  }
}
