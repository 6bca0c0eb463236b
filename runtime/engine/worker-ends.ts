import type { WorkerPort } from "../../sdk/protocol/service.ts";
import type { WorkerEvent } from "../machines/worker.machine.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { WorkerRow } from "../store/rows.ts";
import { isStoreError, type Store } from "../store/store.ts";
import type { Backlog } from "./backlog.ts";
import type { Pool } from "./pool.ts";
import { restoreWorker } from "./worker-actor.ts";
import type { WorkerLosses } from "./worker-losses.ts";
import { isOneRegistration, type WorkerTurns } from "./worker-turns.ts";

/** How long a worker may be without a socket before its attempts count as lost. */
const detachGraceMs = 5_000;
const workersAtOnce = 100;

interface WorkerEndsOptions {
  readonly node: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly pool: Pool;
  readonly backlog: Backlog;
  readonly turns: WorkerTurns;
  readonly losses: WorkerLosses;
  readonly leaseMs: number;
}

/** Who is judged gone or lost: by a closed socket, by silence, by a lease that has ended. */
export class WorkerEnds {
  readonly #options: WorkerEndsOptions;
  readonly #losses: WorkerLosses;
  readonly #leaving = new Map<string, Promise<void>>();

  constructor(options: WorkerEndsOptions) {
    this.#options = options;
    this.#losses = options.losses;
  }

  detach(id: string, port: WorkerPort): void {
    const worker = this.#options.pool.get(id);
    if (worker?.port !== port) return;
    worker.port = null;
    worker.cancelGrace = this.#options.clock.after(detachGraceMs, () => {
      void this.#endQuietly(worker.row, "disconnected");
    });
    void this.leaveIfDone(id);
  }

  /**
   * A worker that drains has gone with its last attempt; asked wherever one may have been the last,
   * and answered one after the other: of two turns that both record its leaving one would be stale.
   */
  async leaveIfDone(id: string): Promise<void> {
    if (this.#options.pool.get(id)?.row.status !== "draining") return;
    const before = this.#leaving.get(id) ?? Promise.resolve();
    const leaving = before.then(() => this.#leaveIfDone(id));
    this.#leaving.set(id, leaving);
    await leaving;
    if (this.#leaving.get(id) === leaving) this.#leaving.delete(id);
  }

  async #leaveIfDone(id: string): Promise<void> {
    const worker = this.#options.pool.get(id);
    if (worker?.row.status !== "draining") return;
    try {
      if (await this.#holdsNothing(worker.row))
        await this.#end(worker.row, { type: "worker.gone" });
    } catch (error) {
      this.#options.log.warn("worker's leaving not recorded yet", { worker: id, error });
    }
  }

  /** By the store, too: an attempt whose report could not be recorded is let go, and reported again. */
  async #holdsNothing({ id }: WorkerRow): Promise<boolean> {
    const { pool, store } = this.#options;
    if ((pool.get(id)?.holdings.size ?? 0) > 0) return false;
    return (await store.tasks.runningOn([id])).length === 0;
  }

  async #endQuietly(row: WorkerRow, reason: string): Promise<void> {
    try {
      await this.#lose(row, reason);
    } catch (error) {
      // Its lease ends all the same, and any node's reaper takes it from there.
      this.#options.log.warn("worker's end not recorded", { worker: row.id, error });
    }
  }

  /** Who drained and holds nothing has gone, even if only its silence tells. */
  async #lose(row: WorkerRow, reason: string): Promise<void> {
    const hasLeft = row.status === "draining" && (await this.#holdsNothing(row));
    await this.#end(row, hasLeft ? { type: "worker.gone" } : { type: "worker.lost", reason });
  }

  /** W3. */
  async #end(row: WorkerRow, event: WorkerEvent): Promise<void> {
    const counts = row.status !== "draining";
    try {
      await this.#options.turns.take(row, event);
    } catch (error) {
      if (!isStoreError(error, "stale")) throw error;
      const attached = this.#options.pool.get(row.id);
      // It may have registered here meanwhile: then it is the judgement that is stale.
      if (attached !== undefined && isOneRegistration(attached.row, row))
        this.#losses.handOver(row.id);
      return;
    }
    this.#options.pool.remove(row.id)?.port?.forgotten?.();
    const reason = event.type === "worker.lost" ? event.reason : "worker gone";
    await this.#losses.loseAttempts(row.id, { reason, counts });
    this.#options.backlog.releaseStale();
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
      else await this.#lose(worker.row, "no heartbeat");
    }
    if (alive.length === 0) return;
    const renewed = new Set(await store.workers.renew(node, alive, leaseMs));
    for (const id of alive) if (!renewed.has(id)) this.#losses.handOver(id);
    for (const id of renewed) await this.leaveIfDone(id);
  }

  /** Workers of anybody whose lease has ended. */
  async reapExpired(): Promise<void> {
    const { store, pool } = this.#options;
    for (const row of await store.workers.expired(workersAtOnce)) {
      if (pool.get(row.id)?.port != null) continue;
      await this.#endQuietly(row, "lease expired");
    }
  }

  /** W3's second half, for whoever recorded a worker's end and died before its attempts followed. */
  async reapStranded(): Promise<void> {
    for (const row of await this.#options.store.workers.stranding(workersAtOnce)) {
      const reason = reasonOf(row) ?? "worker gone";
      await this.#losses.loseAttempts(row.id, { reason, counts: row.status === "lost" });
    }
  }

  /** Workers that lived in a process of this host which is known to be dead. */
  async reapInstance(instance: string): Promise<void> {
    for (const row of await this.#options.store.workers.ofInstance(instance)) {
      await this.#endQuietly(row, "process died");
    }
  }
}

/** Null for a worker whose snapshot this code cannot read: it must not hold up the others. */
function reasonOf(row: WorkerRow): string | null {
  try {
    return restoreWorker(row).context.reason;
  } catch {
    return null;
  }
}
