import { KantokuError } from "../../sdk/errors.ts";
import type { RegisterParams, WorkerLink, WorkerPort } from "../../sdk/protocol/service.ts";
import type { Clock } from "../ports/clock.ts";
import type { Entropy } from "../ports/entropy.ts";
import { ownProcess } from "../ports/host-process.ts";
import type { Log } from "../ports/log.ts";
import { type Meters, silentMeters } from "../ports/meters.ts";
import { noPreprocessing, type Preprocessing } from "../ports/preprocessing.ts";
import { nodeLeaseMsDefault, type Store } from "../store/store.ts";
import { lanesDefault } from "../store/turns.ts";
import { Audience } from "./audience.ts";
import { instanceOf, Life } from "./life.ts";
import { Retinue } from "./retinue.ts";

const restartDelayMs = 200;

export interface EngineOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** None unless given: then graphs do without preprocessors. */
  readonly preprocessing?: Preprocessing;
  /** Silent unless given. */
  readonly meters?: Meters;
  readonly nodeLeaseMs?: number;
  readonly workerLeaseMs?: number;
  readonly heartbeatMs?: number;
  readonly lanes?: number;
  readonly retentionMs?: number | null;
}

/** One node: lives under an incarnation, and begins another when its lease is lost. */
export class Engine {
  readonly store: Store;
  readonly audience: Audience;
  readonly log: Log;
  readonly entropy: Entropy;
  readonly preprocessing: Preprocessing;
  readonly #options: EngineOptions;
  readonly #retinue: Retinue;
  readonly #process = ownProcess();
  readonly #unobserve: () => void;
  #life: Life;
  #isStopping = false;
  #rebirth: Promise<void> = Promise.resolve();
  #hints: { close(): Promise<void> } | null = null;

  private constructor(options: EngineOptions) {
    this.#options = options;
    this.store = options.store;
    this.log = options.log;
    this.entropy = options.entropy;
    this.preprocessing = options.preprocessing ?? noPreprocessing;
    this.audience = new Audience({
      journal: options.store.journal,
      tasks: options.store.tasks,
      log: options.log,
      onAttention: (task, isWanted) => this.#attend(task, isWanted),
    });
    this.#retinue = new Retinue({ store: options.store.workers, log: options.log });
    this.#life = this.#conceive();
    this.#unobserve = (options.meters ?? silentMeters).observe({
      runningAttempts: () => this.#life.pool.runningCount,
      gatheredTurns: () => this.#life.commits.waitingCount,
      connectedWorkers: () => this.#life.pool.attachedCount,
      liveSubscriptions: () => this.audience.followerCount,
    });
  }

  static async start(options: EngineOptions): Promise<Engine> {
    const engine = new Engine(options);
    await engine.#life.begin();
    engine.#hints = await options.store.hints.listen((hint) => engine.#life.hear(hint));
    return engine;
  }

  /** The node as it is now; nobody may keep it beyond a turn of the event loop. */
  get life(): Life {
    return this.#life;
  }

  /** What in-process workers are called, so that their end is known with their process's. */
  get instance(): string {
    return instanceOf(this.#process);
  }

  /** @throws KantokuError `busy` while the node cannot take work on. */
  assertUp(): void {
    if (this.#isStopping) {
      throw new KantokuError("shutting-down", "the node is shutting down", {
        data: { retryAfterMs: 1_000 },
      });
    }
    if (this.#life.isOver) {
      throw new KantokuError("busy", "the node is starting again", {
        data: { retryAfterMs: restartDelayMs },
      });
    }
  }

  async register(namespace: string, params: RegisterParams, port: WorkerPort): Promise<WorkerLink> {
    this.assertUp();
    await this.#retinue.giveWay(namespace, params);
    this.assertUp();
    return this.#retinue.register(this.#life, { namespace, params, port });
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#rebirth;
    await this.#life.end();
    this.audience.close();
    await this.#hints?.close();
    this.#unobserve();
  }

  #conceive(): Life {
    const { nodeLeaseMs, workerLeaseMs, heartbeatMs, lanes, retentionMs } = this.#options;
    const { store, clock, entropy, log, meters = silentMeters } = this.#options;
    const life: Life = new Life({
      store,
      clock,
      entropy,
      log,
      meters,
      process: this.#process,
      preprocessing: this.preprocessing,
      audience: this.audience,
      nodeLeaseMs: nodeLeaseMs ?? nodeLeaseMsDefault,
      workerLeaseMs: workerLeaseMs ?? 10_000,
      heartbeatMs: heartbeatMs ?? 3_000,
      lanes: lanes ?? lanesDefault,
      retentionMs: retentionMs ?? null,
      onDeath: () => {
        // Of one that never came to be the node, or is it no more, nothing has to follow.
        if (life !== this.#life) return;
        this.#retinue.noteHeld(life);
        this.#rebirth = this.#liveAgain();
      },
    });
    return life;
  }

  async #liveAgain(): Promise<void> {
    while (!this.#isStopping) {
      const before = this.#life;
      const life = this.#conceive();
      try {
        await life.lease.bury(before.incarnation);
        await life.begin();
        this.#life = life;
        // From here on nothing may throw: the next try would bury a life that is well.
        await this.#retinue.takeAlong(life);
        for (const task of this.audience.attended()) this.#attend(task, true);
        // What ended in a commit that the last life did not hear of.
        life.watches.look(this.audience.attended());
        return;
      } catch (error) {
        this.log.warn("node could not start again; tries on", { error });
        await new Promise<void>((resolve) => this.#options.clock.after(restartDelayMs, resolve));
      }
    }
  }

  /** While other nodes live, a task that does not run here is watched in the store. */
  #attend(task: string, isWanted: boolean): void {
    const life = this.#life;
    if (life.isOver) return;
    // What was watched while there were other nodes, too, now that there is none.
    if (!isWanted) return life.watches.unwatch(task);
    if (life.lease.nodeCount <= 1) return;
    if (life.directory.get(task)?.state.owner === life.incarnation) return;
    life.watches.watch(task);
  }
}
