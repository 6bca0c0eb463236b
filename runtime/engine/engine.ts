import { isKantokuError, KantokuError } from "../../sdk/errors.ts";
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
import type { Holding } from "./worker-actor.ts";
import { dismiss } from "./worker-losses.ts";

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
  /** Its own, this one and those before it. */
  readonly #incarnations = new Set<string>();
  readonly #registrations = new Set<Registration>();
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
    this.#life = this.#conceive();
    this.#incarnations.add(this.#life.incarnation);
    this.#unobserve = (options.meters ?? silentMeters).observe({
      runningAttempts: () => this.#life.pool.heldCount,
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
    let registration: Registration | null = null;
    // A worker that is lost or serves elsewhere is not taken along into the next life.
    const leaveBehind = (): void => {
      if (registration !== null) this.#registrations.delete(registration);
    };
    const watched: WorkerPort = {
      assign: (assignment) => port.assign(assignment),
      cancel: (cancellation) => port.cancel(cancellation),
      superseded: () => {
        leaveBehind();
        port.superseded();
      },
      forgotten: () => {
        leaveBehind();
        port.forgotten?.();
      },
    };
    const link = await this.#life.workers.register(namespace, params, watched);
    const worker = link.registered.worker;
    registration = { namespace, params: { ...params, worker }, port: watched, link };
    for (const other of this.#registrations) {
      if (other.link.registered.worker === worker) this.#registrations.delete(other);
    }
    this.#registrations.add(registration);
    const own = registration;
    return {
      registered: link.registered,
      detach: () => {
        this.#registrations.delete(own);
        own.link.detach();
      },
    };
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
        if (life === this.#life) this.#rebirth = this.#liveAgain();
      },
    });
    return life;
  }

  async #liveAgain(): Promise<void> {
    while (!this.#isStopping) {
      const before = this.#life;
      const held = this.#heldBy(before);
      const life = this.#conceive();
      try {
        await life.lease.bury(before.incarnation);
        await life.begin();
        this.#life = life;
        this.#incarnations.add(life.incarnation);
        // From here on nothing may throw: the next try would bury a life that is well.
        await this.#reattach(life.incarnation, held);
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

  #heldBy(life: Life): Map<string, Holding[]> {
    return new Map(
      Array.from(life.pool.all(), (worker) => [
        worker.row.id,
        [...worker.holdings.values()].filter(({ sentAt }) => sentAt !== null),
      ]),
    );
  }

  /** Workers do not notice: their sockets are here and their attempts go on. */
  async #reattach(now: string, held: ReadonlyMap<string, readonly Holding[]>): Promise<void> {
    for (const registration of [...this.#registrations]) {
      if (!this.#registrations.has(registration)) continue;
      const { namespace, params, port } = registration;
      const { worker } = registration.link.registered;
      const holdings = held.get(worker) ?? [];
      const attempts = holdings.map(({ token }) => token);
      try {
        const row = await this.store.workers.read(worker);
        // It has registered anew by itself, or the next life is at it.
        if (row?.node === now || this.#life.incarnation !== now) continue;
        if (row === null || row.node === null || !this.#incarnations.has(row.node)) {
          dismiss({ instance: params.instance, port }, row);
          continue;
        }
        const link = await this.#life.workers.register(namespace, { ...params, attempts }, port);
        registration.link = link;
        // Who waits for children has told the last life that they may have its slot.
        for (const { token, isSuspended } of holdings) {
          if (isSuspended && this.#life.pool.suspend(token)) this.#life.backlog.slotFreed();
        }
        // Its socket closed meanwhile, and detached only from the last life.
        if (!this.#registrations.has(registration)) link.detach();
        for (const token of link.registered.drop) {
          port.cancel({ token, reason: "the attempt is over", graceMs: 0 });
        }
      } catch (error) {
        this.log.warn("worker not taken along", { worker: params.worker, error });
        this.#registrations.delete(registration);
        // For any other reason it is unknown here: its next heartbeat hears so, and it registers.
        if (isKantokuError(error, "conflict")) port.superseded();
      }
    }
  }

  /** While other nodes live, a task that does not run here is watched in the store. */
  #attend(task: string, isWanted: boolean): void {
    const life = this.#life;
    if (life.isOver || life.lease.nodeCount <= 1) return;
    if (!isWanted) return life.watches.unwatch(task);
    if (life.directory.get(task)?.state.owner === life.incarnation) return;
    life.watches.watch(task).catch((error: unknown) => {
      this.log.warn("watch failed; the poll will look", { task, error });
    });
  }
}

interface Registration {
  readonly namespace: string;
  readonly params: RegisterParams;
  readonly port: WorkerPort;
  link: WorkerLink;
}
