import type { WorkerPort } from "../../sdk/protocol/service.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { TaskRow, WorkerRow } from "../store/rows.ts";
import type { Store } from "../store/store.ts";
import type { Pool } from "./pool.ts";
import type { TaskDirectory } from "./task-directory.ts";
import type { WorkerActor } from "./worker-actor.ts";

/** After a hand-over: what is still in a commit then has been resolved. */
const takeBackMs = 5_000;
const retryMs = 1_000;

interface WorkerLossesOptions {
  readonly node: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly pool: Pool;
  readonly directory: TaskDirectory;
}

/** What becomes of the attempts of a worker that is lost, or another node's now. */
export class WorkerLosses {
  readonly #options: WorkerLossesOptions;

  /** Strays that the last look found, too. */
  #straysBefore = new Set<string>();

  constructor(options: WorkerLossesOptions) {
    this.#options = options;
  }

  /** What fails here is found by the next look for stranded tasks. */
  async loseAttempts(id: string, loss: Loss): Promise<void> {
    const { store, node, log } = this.#options;
    try {
      for (const task of await store.tasks.acquireOfWorker(node, id)) {
        const token = this.#takeIn(task);
        if (token !== null) this.lose(task.id, token, loss);
      }
    } catch (error) {
      log.warn("attempts of a lost worker not taken over yet", { worker: id, error });
    }
  }

  /** The worker is another node's now, and so is what runs on it. */
  handOver(id: string): void {
    const { pool, directory, clock } = this.#options;
    const worker = pool.remove(id);
    if (worker === undefined) return;
    void this.#dismiss(worker);
    const tasks = Array.from(worker.holdings.values(), ({ task }) => task);
    for (const { task, token } of worker.holdings.values()) {
      const isRunning = directory.get(task)?.snapshot.context.token === token;
      if (isRunning) directory.forget(task);
    }
    clock.after(takeBackMs, () => void this.#takeBack(id, tasks));
  }

  async #dismiss({ row, port }: WorkerActor): Promise<void> {
    if (port === null) return;
    const now = await this.#options.store.workers.read(row.id).catch(() => null);
    dismiss({ instance: row.instance, port }, now);
  }

  /** What was assigned here after the worker's new node had looked at its tasks: nobody else knows of it. */
  async #takeBack(id: string, tasks: readonly string[]): Promise<void> {
    const { pool, store, node, directory, log, clock } = this.#options;
    if (pool.get(id) !== undefined) return;
    try {
      const rows = await store.tasks.readMany(tasks);
      const ours = rows.filter(({ owner, worker }) => owner === node && worker === id);
      if (pool.get(id) !== undefined) return;
      // In a commit when the worker left, and so not forgotten then.
      for (const { id: task, owner } of rows) if (owner !== node) directory.forget(task);
      const held = ours.map((task) => task.id);
      for (const task of await store.tasks.acquire(node, held)) {
        const token = this.#takeIn(task);
        if (token !== null) this.lose(task.id, token, { reason: "handed over", counts: false });
      }
    } catch (error) {
      log.warn("tasks not taken back; tries on", { worker: id, error });
      clock.after(retryMs, () => void this.#takeBack(id, tasks));
    }
  }

  /**
   * The token of its attempt, or null: that was over by the time the task was taken. No turn follows
   * then, and unless it is let go, it stays out of the queue, and with a node that has no use for it.
   */
  #takeIn(row: TaskRow): string | null {
    const { directory } = this.#options;
    const actor = directory.takeIn(row);
    const token = actor?.snapshot.context.token ?? null;
    if (actor !== null && token === null) directory.leave([actor]);
    return token;
  }

  lose(task: string, token: string, { reason, counts }: Loss): void {
    const actor = this.#options.directory.get(task);
    if (actor !== undefined) {
      this.#options.directory.post(actor, { type: "lose", token, reason, counts });
    }
  }

  /**
   * Attempts of workers attached here that nobody looks after, twice in a row. No holding knows of
   * one: its commit landed while the worker came or went, so that nobody sent it and nobody would
   * ever lose it. Or no actor does: a stale turn let go of it, with its deadlines.
   */
  async findStrays(): Promise<void> {
    const { store, pool, directory, node } = this.#options;
    const attached = [...pool.all()].filter(({ port }) => port !== null);
    const rows = await store.tasks.runningOn(attached.map(({ row }) => row.id));
    const held = new Set(
      attached.flatMap(({ holdings }) => Array.from(holdings.values(), ({ task }) => task)),
    );
    const strays = rows.filter(({ id }) => {
      const actor = directory.get(id);
      return held.has(id) ? actor === undefined : !actor?.isCommitting;
    });
    const before = this.#straysBefore;
    this.#straysBefore = new Set(strays.map(({ id }) => id));
    for (const { id, worker } of strays) {
      if (!before.has(id)) continue;
      if (!held.has(id)) await this.#reclaim(id, worker);
      else for (const row of await store.tasks.acquire(node, [id], worker)) this.#takeIn(row);
    }
  }

  async #reclaim(id: string, worker: string): Promise<void> {
    const { store, node, log } = this.#options;
    const [row] = await store.tasks.acquire(node, [id], worker);
    const token = row === undefined ? null : this.#takeIn(row);
    if (token === null) return;
    log.warn("an attempt was never delivered; it starts again", { task: id, worker });
    this.lose(id, token, { reason: "undelivered", counts: false });
  }
}

/** Tells a process that its worker, of which this is the row now, is not this node's any more. */
export function dismiss(
  { instance, port }: { readonly instance: string; readonly port: WorkerPort },
  now: WorkerRow | null,
): void {
  // Unread or deleted, it is told no more than that: registering anew, it hears whose the name is.
  if (now !== null && now.instance !== instance) port.superseded();
  else port.forgotten?.();
}

export interface Loss {
  readonly reason: string;
  /** Whether it may have been the task's own doing. */
  readonly counts: boolean;
}
