import { Engine, type EngineOptions } from "../../runtime/engine/engine.ts";
import type { Log } from "../../runtime/ports/log.ts";
import { createServiceParts, EngineService } from "../../runtime/service/service.ts";
import { createMemoryStore } from "../../runtime/store/memory/index.ts";
import type { Store } from "../../runtime/store/store.ts";
import type { RegisterParams, Service, SubmitParams } from "../../sdk/protocol/service.ts";
import type { JournalEvent, TaskView } from "../../sdk/protocol/task.ts";
import { createFaultyStore, type FaultyStore } from "./faulty-store.ts";
import { ScriptedWorker } from "./scripted-worker.ts";
import { createSeededEntropy, type SeededEntropy } from "./seeded-entropy.ts";
import { createSteppedClock, type SteppedClock } from "./stepped-clock.ts";

interface LogLine {
  readonly level: "info" | "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** One node of a rig, with its engine laid open and its own faulty way to the shared store. */
export interface RigNode {
  readonly engine: Engine;
  readonly service: Service;
  readonly store: FaultyStore;
  readonly serviceOf: (namespace: string) => Service;
  /** Stops without a word: nothing of it runs any more, its leases stand until they expire. */
  crash(): void;
}

/** Nodes over one store in memory, in one time that stands still until it is moved. */
export class EngineRig implements AsyncDisposable {
  readonly clock: SteppedClock;
  readonly entropy: SeededEntropy;
  readonly store: Store;
  readonly logged: LogLine[] = [];
  readonly #nodes: RigNode[] = [];
  #node: RigNode | undefined;

  private constructor(seed: number) {
    this.clock = createSteppedClock();
    this.entropy = createSeededEntropy(seed);
    this.store = createMemoryStore({ clock: this.clock });
  }

  static async start(options: Partial<EngineOptions> & { seed?: number } = {}): Promise<EngineRig> {
    const { seed = 1, ...rest } = options;
    const rig = new EngineRig(seed);
    rig.#node = await rig.join(rest);
    await rig.clock.settle();
    return rig;
  }

  /** The first node. */
  get node(): RigNode {
    if (this.#node === undefined) throw new Error("the rig has not been started");
    return this.#node;
  }

  get service(): Service {
    return this.node.service;
  }

  async join(options: Partial<EngineOptions> = {}): Promise<RigNode> {
    const faulty = createFaultyStore(this.store);
    // A process that is no more calls nobody back.
    const power = { isOn: true };
    const { clock } = this;
    const engine = await Engine.start({
      clock: {
        now: clock.now,
        monotonic: clock.monotonic,
        after: (delayMs, callback) => clock.after(delayMs, () => power.isOn && callback()),
        soon: (callback) => clock.soon(() => power.isOn && callback()),
      },
      entropy: this.entropy,
      log: this.#log(),
      store: faulty,
      ...options,
    });
    const parts = createServiceParts(engine);
    const serviceOf = (namespace: string): Service => new EngineService(namespace, parts);
    const node: RigNode = {
      engine,
      store: faulty,
      service: serviceOf("default"),
      serviceOf,
      crash: () => {
        power.isOn = false;
      },
    };
    this.#nodes.push(node);
    return node;
  }

  worker(params: Partial<RegisterParams> = {}, node = this.node): Promise<ScriptedWorker> {
    return ScriptedWorker.register(node.service, params);
  }

  /** Submits a `job` and lets what follows from it happen. */
  async submit(params: Partial<SubmitParams> = {}, node = this.node): Promise<string> {
    const { id } = await node.service.submit({ definition: "job", ...params });
    await this.clock.settle();
    return id;
  }

  get(id: string): Promise<TaskView> {
    return this.service.get({ id });
  }

  async status(id: string): Promise<string> {
    return (await this.get(id)).status;
  }

  async journal(id: string): Promise<readonly JournalEvent[]> {
    return (await this.service.events({ id, limit: 1_000 })).events;
  }

  async types(id: string): Promise<readonly string[]> {
    return (await this.journal(id)).map(({ type }) => type);
  }

  /** The data of the task's events of one type, in order. */
  async eventsOf(id: string, type: string): Promise<readonly JournalEvent["data"][]> {
    return (await this.journal(id)).filter((event) => event.type === type).map(({ data }) => data);
  }

  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms);
  }

  async settle(): Promise<void> {
    await this.clock.settle();
  }

  /** Lets time pass while these workers send their heartbeats. */
  async live(ms: number, ...workers: readonly ScriptedWorker[]): Promise<void> {
    for (let left = ms; left > 0; left -= 2_000) {
      await this.clock.advance(Math.min(left, 2_000));
      await Promise.all(workers.map((worker) => worker.beat()));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.#nodes) node.crash();
    await this.clock.settle();
  }

  #log(): Log {
    const write =
      (level: LogLine["level"]): Log["info"] =>
      (message, fields = {}) =>
        void this.logged.push({ level, message, fields });
    return { info: write("info"), warn: write("warn"), error: write("error") };
  }
}
