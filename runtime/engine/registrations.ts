import { KantokuError } from "../../sdk/errors.ts";
import type {
  RegisterParams,
  ServedDefinition,
  WorkerLink,
  WorkerPort,
} from "../../sdk/protocol/service.ts";
import type { Clock } from "../ports/clock.ts";
import type { Entropy } from "../ports/entropy.ts";
import type { WorkerRow } from "../store/rows.ts";
import { isStoreError, type Store } from "../store/store.ts";
import type { Assignments } from "./assignments.ts";
import type { Backlog } from "./backlog.ts";
import type { Pool } from "./pool.ts";
import { reconcile } from "./reconcile.ts";
import type { TaskDirectory } from "./task-directory.ts";
import { headKey, headsOf, type WorkerActor } from "./worker-actor.ts";
import type { WorkerEnds } from "./worker-ends.ts";
import type { WorkerLosses } from "./worker-losses.ts";
import type { WorkerTurns } from "./worker-turns.ts";

const registerTriesMax = 5;

interface RegistrationsOptions {
  readonly node: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly pool: Pool;
  readonly backlog: Backlog;
  readonly directory: TaskDirectory;
  readonly assignments: Assignments;
  readonly turns: WorkerTurns;
  readonly losses: WorkerLosses;
  readonly ends: WorkerEnds;
  readonly leaseMs: number;
  readonly heartbeatMs: number;
}

/** Workers come, come again after a lost connection, or in place of the process before them. */
export class Registrations {
  readonly #options: RegistrationsOptions;

  constructor(options: RegistrationsOptions) {
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
    const { row, before: rowBefore } = await this.#commit(namespace, params);
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
    const accounts = {
      held: tasks.map(({ id }) => id),
      listed: new Set(params.attempts ?? []),
      isSameProcess,
      wasDraining: rowBefore?.status === "draining",
      wasHere: rowBefore?.node === node,
    };
    const beat = reconcile(worker, accounts, this.#options);
    if (pool.get(row.id) !== worker) throw replaced();
    worker.port = port;
    this.#sendAgain(worker);
    this.#options.backlog.noteUnknown();
    const { leaseMs, heartbeatMs } = this.#options;
    return {
      registered: { worker: row.id, leaseMs, heartbeatMs, ...beat },
      detach: () => this.#options.ends.detach(row.id, port),
    };
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

  async #commit(
    namespace: string,
    params: RegisterParams,
  ): Promise<{ row: WorkerRow; before: WorkerRow | null }> {
    for (let tries = 1; ; tries += 1) {
      const known = await this.#find(namespace, params);
      if (known !== null && isTaken(known, params)) throw replaced();
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
        const committed = await this.#options.turns.take(row, event);
        return { row: committed, before: known };
      } catch (error) {
        // Two processes of one name at once: the later one reads again and goes second.
        const isOverwritten = isStoreError(error, "stale");
        if (!isOverwritten && !isStoreError(error, "refused")) throw error;
        if (tries < registerTriesMax) continue;
        throw isOverwritten ? crowded(params.name, error) : error;
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
      reported: before?.reported ?? 0,
      definitions,
      heads,
      headsKey: heads.map(headKey).sort().join("\n\n"),
      lastBeatAt: this.#options.clock.monotonic(),
      cancelGrace: null,
    };
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
}

/** Another process serves under the name that the caller had: it comes too late to have it back. */
function isTaken({ id, instance, status }: WorkerRow, params: RegisterParams): boolean {
  const isServed = status === "serving" || status === "draining";
  return isServed && id === params.worker && instance !== params.instance;
}

function replaced(): KantokuError {
  return new KantokuError("conflict", "another process registered under this worker's name");
}

function crowded(name: string | undefined, cause: unknown): KantokuError {
  const message = `several workers register under the name ${name ?? ""} at once`;
  return new KantokuError("busy", message, { data: { retryAfterMs: 500 }, cause });
}
