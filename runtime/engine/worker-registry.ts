import { KantokuError } from "../../sdk/errors.ts";
import type {
  Beat,
  RegisterParams,
  ServedDefinition,
  WorkerLink,
  WorkerPort,
} from "../../sdk/protocol/service.ts";
import { isSuspect } from "../machines/task.machine.ts";
import type { WorkerEvent } from "../machines/worker.machine.ts";
import type { Clock } from "../ports/clock.ts";
import type { Entropy } from "../ports/entropy.ts";
import type { Log } from "../ports/log.ts";
import type { WorkerRow } from "../store/rows.ts";
import { isStoreError, type Store, type StoreError } from "../store/store.ts";
import type { Assignments } from "./assignments.ts";
import type { Backlog } from "./backlog.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Pool } from "./pool.ts";
import type { TaskDirectory } from "./task-directory.ts";
import { taskOfToken } from "./token.ts";
import {
  draftWorkerTurn,
  foldWorker,
  headKey,
  headsOf,
  restoreWorker,
  type WorkerActor,
} from "./worker-actor.ts";

/** How long a worker may be without a socket before its attempts count as lost. */
const detachGraceMs = 5_000;
const registerTriesMax = 5;
const workersAtOnce = 100;
const retryMs = 1_000;
/** Heartbeats that must lack an attempt: one may have been written before the assignment arrived. */
const missedBeatsMax = 2;

export interface WorkerRegistryOptions {
  readonly node: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly commits: GroupCommit;
  readonly pool: Pool;
  readonly backlog: Backlog;
  readonly directory: TaskDirectory;
  readonly assignments: Assignments;
  readonly leaseMs: number;
  readonly heartbeatMs: number;
}

/**
 * Workers of this node: who registers, who beats, who is judged lost.
 *
 * W1. An attempt belongs to its worker's lease: a worker that comes back in time keeps what it lists.
 * W2. A loss counts against its task only when the worker's process died under it.
 * W3. A worker is lost by a committed turn first; its attempts follow. Who loses that race does nothing.
 */
export class WorkerRegistry {
  readonly #options: WorkerRegistryOptions;
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(options: WorkerRegistryOptions) {
    this.#options = options;
  }

  async register(namespace: string, params: RegisterParams, port: WorkerPort): Promise<WorkerLink> {
    const { pool } = this.#options;
    const former = this.#formerOf(namespace, params);
    const formerPort = former?.port ?? null;
    // What is sent by the former way from now on, the list of held attempts does not speak of.
    if (former !== undefined) former.port = null;
    try {
      return await this.#register(namespace, params, port);
    } catch (error) {
      const isStill = former !== undefined && pool.get(former.row.id) === former;
      if (isStill && former.port === null) former.port = formerPort;
      throw error;
    }
  }

  async #register(
    namespace: string,
    params: RegisterParams,
    port: WorkerPort,
  ): Promise<WorkerLink> {
    const { node, pool, store } = this.#options;
    const { row, before: rowBefore } = await this.#commitRegistration(namespace, params);
    await store.definitions.save(
      params.definitions.map(({ name, version = "", ...policy }) => ({
        namespace,
        name,
        version,
        policy: JSON.stringify(policy),
      })),
    );
    const isSameProcess = rowBefore?.instance === params.instance;
    const before = pool.get(row.id);
    const isOvertaken =
      before?.row.instance !== params.instance && (before?.row.seq ?? 0) > row.seq;
    if (isOvertaken) throw replaced();
    if (!isSameProcess) before?.port?.superseded();
    const worker = this.#createActor(row, params.definitions, before);
    pool.add(worker);

    const tasks = await store.tasks.acquireOfWorker(node, row.id);
    for (const task of tasks) this.#options.directory.takeIn(task);
    const beat = this.#reconcile(worker, {
      held: tasks.map(({ id }) => id),
      listed: new Set(params.attempts ?? []),
      isSameProcess,
      wasDraining: rowBefore?.status === "draining",
    });
    if (pool.get(row.id) !== worker) throw replaced();
    worker.port = port;
    this.#sendAgain(worker);
    this.#options.backlog.noteUnknown();
    const { leaseMs, heartbeatMs } = this.#options;
    return {
      registered: { worker: row.id, leaseMs, heartbeatMs, ...beat },
      detach: () => this.#detach(row.id, port),
    };
  }

  heartbeat({ worker: id, attempts }: { worker: string; attempts: readonly string[] }): Beat {
    const worker = this.#attached(id);
    worker.lastBeatAt = this.#options.clock.monotonic();
    const listed = new Set(attempts);
    const keep: string[] = [];
    const drop = attempts.filter((token) => !worker.holdings.has(token));
    for (const holding of worker.holdings.values()) {
      if (listed.has(holding.token)) {
        holding.missedBeats = 0;
        (holding.isAbandoned ? drop : keep).push(holding.token);
        continue;
      }
      const isOld = holding.sentAt !== null;
      if (!isOld || ++holding.missedBeats < missedBeatsMax) continue;
      this.#options.pool.letGo(id, holding.token);
      if (!holding.isAbandoned) this.#lose(holding.task, holding.token, "undelivered", false);
      this.#options.backlog.slotFreed();
    }
    return { keep, drop };
  }

  async drain(id: string): Promise<void> {
    const worker = this.#attached(id);
    await this.#turn(worker.row, { type: "worker.draining" });
  }

  /** Extends the leases of those that beat, and judges those that do not. Called about once a second. */
  async tend(stalledMs: number): Promise<void> {
    const { clock, pool, store, node, leaseMs } = this.#options;
    const now = clock.monotonic();
    const alive: string[] = [];
    for (const worker of [...pool.all()]) {
      // What the sockets brought during a stall of our own has not been read yet.
      worker.lastBeatAt += stalledMs;
      if (worker.port === null) continue;
      if (now - worker.lastBeatAt <= leaseMs) alive.push(worker.row.id);
      else await this.#end(worker.row, { type: "worker.lost", reason: "no heartbeat" });
    }
    if (alive.length === 0) return;
    const renewed = new Set(await store.workers.renew(node, alive, leaseMs));
    for (const id of alive) if (!renewed.has(id)) this.#handOver(id);
  }

  /** Workers of anybody whose lease has ended. */
  async reapExpired(): Promise<void> {
    const { store, pool } = this.#options;
    for (const row of await store.workers.expired(workersAtOnce)) {
      if (pool.get(row.id)?.port != null) continue;
      await this.#end(row, { type: "worker.lost", reason: "lease expired" });
    }
  }

  /** W3's second half, for whoever recorded a worker's end and died before its attempts followed. */
  async reapStranded(): Promise<void> {
    for (const row of await this.#options.store.workers.stranding(workersAtOnce)) {
      const { reason } = restoreWorker(row).context;
      await this.#loseAttempts(row.id, {
        reason: reason ?? "worker gone",
        counts: row.status === "lost",
      });
    }
  }

  /** Workers that lived in a process of this host which is known to be dead. */
  async reapInstance(instance: string): Promise<void> {
    for (const row of await this.#options.store.workers.ofInstance(instance)) {
      await this.#end(row, { type: "worker.lost", reason: "process died" });
    }
  }

  #attached(id: string): WorkerActor {
    const worker = this.#options.pool.get(id);
    if (worker?.port != null) return worker;
    throw new KantokuError("not-found", `worker ${id} is not registered on this node`, {
      data: { worker: id },
    });
  }

  /** The same process's earlier registration, when it is still attached here. */
  #formerOf(
    namespace: string,
    { name, worker, instance }: RegisterParams,
  ): WorkerActor | undefined {
    for (const { row } of this.#options.pool.all()) {
      if (row.namespace !== namespace || row.instance !== instance) continue;
      if (row.name === name || row.id === worker) return this.#options.pool.get(row.id);
    }
    return undefined;
  }

  async #commitRegistration(
    namespace: string,
    params: RegisterParams,
  ): Promise<{ row: WorkerRow; before: WorkerRow | null }> {
    for (let tries = 1; ; tries += 1) {
      const known = await this.#find(namespace, params);
      const base = known ?? this.#newRow(namespace, params);
      const row: WorkerRow = {
        ...base,
        instance: params.instance,
        node: this.#options.node,
        slots: params.slots,
        labels: JSON.stringify(params.labels ?? {}),
        definitions: JSON.stringify(
          params.definitions.map(({ name, version = "" }) => ({ name, version })),
        ),
        registeredAt: this.#options.clock.now(),
      };
      try {
        const { instance, slots } = params;
        const event = { type: "worker.registered", instance, slots, node: row.node ?? "" } as const;
        const committed = await this.#turn(row, event);
        return { row: committed, before: known };
      } catch (error) {
        // Two processes of one name at once: the later one reads again and goes second.
        const isRace = isStoreError(error, "stale") || isStoreError(error, "refused");
        if (!isRace || tries === registerTriesMax) throw error;
      }
    }
  }

  async #find(namespace: string, params: RegisterParams): Promise<WorkerRow | null> {
    const { workers } = this.#options.store;
    if (params.name !== undefined) return workers.readByName(namespace, params.name);
    if (params.worker === undefined) return null;
    const row = await workers.read(params.worker);
    const isOwn = row?.namespace === namespace && row.instance === params.instance;
    return isOwn ? row : null;
  }

  #newRow(namespace: string, params: RegisterParams): WorkerRow {
    const id = this.#options.entropy.id();
    return {
      id,
      namespace,
      name: params.name ?? id,
      instance: params.instance,
      status: "connecting",
      seq: 0,
      snapshot: "{}",
      node: null,
      slots: params.slots,
      labels: "{}",
      definitions: "[]",
      registeredAt: 0,
      expiresAt: 0,
    };
  }

  #createActor(
    row: WorkerRow,
    definitions: readonly ServedDefinition[],
    before: WorkerActor | undefined,
  ): WorkerActor {
    const heads = headsOf(row.namespace, definitions);
    return {
      row,
      port: null,
      holdings: before?.holdings ?? new Map(),
      suspects: before?.suspects ?? new Set(),
      suspended: before?.suspended ?? 0,
      definitions,
      heads,
      headsKey: heads.map(headKey).sort().join("\n\n"),
      lastBeatAt: this.#options.clock.monotonic(),
      cancelGrace: null,
    };
  }

  /** W1: holds what the worker lists against what its tasks wait for. */
  #reconcile(
    worker: WorkerActor,
    claims: {
      held: readonly string[];
      listed: ReadonlySet<string>;
      isSameProcess: boolean;
      wasDraining: boolean;
    },
  ): Beat {
    const { directory, pool, clock } = this.#options;
    const keep: string[] = [];
    for (const id of claims.held) {
      const actor = directory.get(id);
      const token = actor?.snapshot.context.token;
      if (actor === undefined || token == null) continue;
      const holding = worker.holdings.get(token);
      if (claims.listed.has(token)) {
        if (holding === undefined) {
          const isSuspected = isSuspect(actor.snapshot.context);
          pool.hold(worker, { token, task: id, isSuspect: isSuspected });
        }
        const kept = worker.holdings.get(token);
        if (kept !== undefined) kept.sentAt = clock.monotonic();
        keep.push(token);
      } else if (holding === undefined || holding.sentAt !== null) {
        pool.letGo(worker.row.id, token);
        const reason = claims.isSameProcess ? "undelivered" : "process replaced";
        this.#lose(id, token, reason, !claims.isSameProcess && !claims.wasDraining);
      }
    }
    const kept = new Set(keep);
    const drop = [...claims.listed].filter((token) => !kept.has(token));
    for (const { token, task, sentAt } of [...worker.holdings.values()]) {
      const actor = directory.get(task);
      const isRunning = actor?.snapshot.context.token === token;
      const isOnItsWay = sentAt === null && (actor?.isCommitting || actor?.isScheduled);
      if (kept.has(token) || isOnItsWay) continue;
      if (isRunning && claims.held.includes(task) && sentAt === null) continue;
      if (!claims.listed.has(token)) pool.letGo(worker.row.id, token);
      // The worker was on another node meanwhile, and the task went on there.
      if (isRunning && !claims.held.includes(task)) directory.forget(task);
    }
    // They run on until the worker has stopped them, and take its slots that long.
    for (const token of drop) {
      pool.holdAbandoned(worker, { token, task: taskOfToken(token) ?? "" });
    }
    return { keep, drop };
  }

  /** What was committed while the worker had no socket, or was on a node that is no more. */
  #sendAgain(worker: WorkerActor): void {
    const { directory, assignments } = this.#options;
    for (const holding of worker.holdings.values()) {
      const actor = directory.get(holding.task);
      if (actor === undefined || actor.snapshot.context.token !== holding.token) continue;
      if (holding.sentAt === null) assignments.send(actor);
      else if (actor.snapshot.value === "cancelling") assignments.sendCancel(actor);
    }
  }

  #detach(id: string, port: WorkerPort): void {
    const worker = this.#options.pool.get(id);
    if (worker?.port !== port) return;
    worker.port = null;
    if (worker.row.status === "draining" && worker.holdings.size === 0) {
      void this.#endQuietly(worker.row, { type: "worker.gone" });
      return;
    }
    worker.cancelGrace = this.#options.clock.after(detachGraceMs, () => {
      void this.#endQuietly(worker.row, { type: "worker.lost", reason: "disconnected" });
    });
  }

  async #endQuietly(row: WorkerRow, event: WorkerEvent): Promise<void> {
    try {
      await this.#end(row, event);
    } catch (error) {
      // Its lease ends all the same, and any node's reaper takes it from there.
      this.#options.log.warn("worker's end not recorded", { worker: row.id, error });
    }
  }

  /** W3. */
  async #end(row: WorkerRow, event: WorkerEvent): Promise<void> {
    const counts = row.status !== "draining";
    try {
      await this.#turn(row, event);
    } catch (error) {
      if (!isStoreError(error, "stale")) throw error;
      const attached = this.#options.pool.get(row.id);
      // It may have registered here meanwhile: then it is the judgement that is stale.
      if (attached !== undefined && isOneRegistration(attached.row, row)) this.#handOver(row.id);
      return;
    }
    this.#options.pool.remove(row.id)?.port?.superseded();
    const reason = event.type === "worker.lost" ? event.reason : "worker gone";
    await this.#loseAttempts(row.id, { reason, counts });
    this.#options.backlog.releaseStale();
  }

  /** What fails here is found by the next look for stranded tasks. */
  async #loseAttempts(id: string, loss: { reason: string; counts: boolean }): Promise<void> {
    const { store, node, directory, log } = this.#options;
    try {
      for (const task of await store.tasks.acquireOfWorker(node, id)) {
        const token = directory.takeIn(task)?.snapshot.context.token ?? null;
        if (token !== null) this.#lose(task.id, token, loss.reason, loss.counts);
      }
    } catch (error) {
      log.warn("attempts of a lost worker not taken over yet", { worker: id, error });
    }
  }

  /** The worker is another node's now, and so is what runs on it. */
  #handOver(id: string): void {
    const { pool, directory, clock } = this.#options;
    const worker = pool.remove(id);
    if (worker === undefined) return;
    worker.port?.superseded();
    const tasks = Array.from(worker.holdings.values(), ({ task }) => task);
    for (const { task, token } of worker.holdings.values()) {
      const isRunning = directory.get(task)?.snapshot.context.token === token;
      if (isRunning) directory.forget(task);
    }
    clock.after(detachGraceMs, () => void this.#takeBack(id, tasks));
  }

  /** What was assigned here after the worker's new node had looked at its tasks: nobody else knows of it. */
  async #takeBack(id: string, tasks: readonly string[]): Promise<void> {
    const { pool, store, node, directory, log, clock } = this.#options;
    if (pool.get(id) !== undefined) return;
    try {
      for (const task of await store.tasks.readMany(tasks)) {
        if (task.owner !== node || task.worker !== id) continue;
        const token = directory.takeIn(task)?.snapshot.context.token ?? null;
        if (token !== null) this.#lose(task.id, token, "handed over", false);
      }
    } catch (error) {
      log.warn("tasks not taken back; tries on", { worker: id, error });
      clock.after(retryMs, () => void this.#takeBack(id, tasks));
    }
  }

  #lose(task: string, token: string, reason: string, counts: boolean): void {
    const actor = this.#options.directory.get(task);
    if (actor !== undefined) {
      this.#options.directory.post(actor, { type: "lose", token, reason, counts });
    }
  }

  /** One committed event of one worker, after those before it. */
  #turn(row: WorkerRow, event: WorkerEvent): Promise<WorkerRow> {
    const before = this.#turns.get(row.id) ?? Promise.resolve();
    const turn = before.then(
      () => this.#commit(row, event),
      () => this.#commit(row, event),
    );
    this.#turns.set(row.id, turn);
    const forget = (): void => {
      if (this.#turns.get(row.id) === turn) this.#turns.delete(row.id);
    };
    turn.then(forget, forget);
    return turn;
  }

  #commit(given: WorkerRow, event: WorkerEvent): Promise<WorkerRow> {
    const { clock, leaseMs, pool, commits } = this.#options;
    const attached = pool.get(given.id);
    // A turn of ours that was just committed moved the row on; what registration changes stays, and
    // who registered since is not who was judged.
    const isMovedOn = attached !== undefined && isOneRegistration(attached.row, given);
    const row = event.type !== "worker.registered" && isMovedOn ? attached.row : given;
    const snapshot = foldWorker(row, event);
    if (snapshot === null) return Promise.resolve(row);
    const turn = draftWorkerTurn(row, snapshot, { event, now: clock.now(), leaseMs });
    return new Promise((resolve, reject) => {
      commits.schedule({
        takeTurn: () => [
          {
            turns: [turn],
            bytes: 1_024,
            committed: () => {
              if (attached !== undefined && pool.get(row.id) === attached) attached.row = turn.row;
              resolve(turn.row);
            },
            rejected: (error: StoreError) => reject(error),
          },
        ],
      });
    });
  }
}

function isOneRegistration(a: WorkerRow, b: WorkerRow): boolean {
  return a.instance === b.instance && a.registeredAt === b.registeredAt;
}

function replaced(): KantokuError {
  return new KantokuError("conflict", "another process registered under this worker's name");
}
