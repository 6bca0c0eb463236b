import { KantokuError } from "../../sdk/errors.ts";
import type { Beat, RegisterParams, WorkerLink, WorkerPort } from "../../sdk/protocol/service.ts";
import type { Clock } from "../ports/clock.ts";
import type { Entropy } from "../ports/entropy.ts";
import type { Log } from "../ports/log.ts";
import type { Store } from "../store/store.ts";
import type { Assignments, UnsentAttempt } from "./assignments.ts";
import type { Backlog } from "./backlog.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Pool } from "./pool.ts";
import { Registrations } from "./registrations.ts";
import type { TaskDirectory } from "./task-directory.ts";
import type { Holding, WorkerActor } from "./worker-actor.ts";
import { WorkerEnds } from "./worker-ends.ts";
import { type Loss, WorkerLosses } from "./worker-losses.ts";
import { WorkerTurns } from "./worker-turns.ts";

/** Heartbeats that must lack an attempt: one may have been written before the assignment arrived. */
const missedBeatsMax = 2;
const undelivered: Loss = { reason: "undelivered", counts: false };

interface WorkerRegistryOptions {
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
  readonly ends: WorkerEnds;
  readonly #options: WorkerRegistryOptions;
  readonly #turns: WorkerTurns;
  readonly #losses: WorkerLosses;
  readonly #registrations: Registrations;

  constructor(options: WorkerRegistryOptions) {
    this.#options = options;
    const turns = new WorkerTurns(options);
    const losses = new WorkerLosses(options);
    this.#turns = turns;
    this.#losses = losses;
    this.ends = new WorkerEnds({ ...options, turns, losses });
    this.#registrations = new Registrations({ ...options, turns, losses, ends: this.ends });
  }

  register(namespace: string, params: RegisterParams, port: WorkerPort): Promise<WorkerLink> {
    return this.#registrations.register(namespace, params, port);
  }

  /** See `WorkerLosses.findStrays`. */
  findStrays(): Promise<void> {
    return this.#losses.findStrays();
  }

  heartbeat(
    namespace: string,
    { worker: id, attempts }: { worker: string; attempts: readonly string[] },
  ): Beat {
    const worker = this.#attached(namespace, id);
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
      const isAwaited = holding.sentAt !== null && !holding.isReported;
      if (!isAwaited || ++holding.missedBeats < missedBeatsMax) continue;
      this.#letGo(id, holding);
    }
    return { keep, drop };
  }

  /** Unless it was sent after all, by a registration since. */
  undelivered({ worker, token }: UnsentAttempt): void {
    const holding = this.#options.pool.get(worker)?.holdings.get(token);
    if (holding?.sentAt === null) this.#letGo(worker, holding);
  }

  async drain(namespace: string, id: string): Promise<void> {
    const worker = this.#attached(namespace, id);
    await this.#turns.take(worker.row, { type: "worker.draining" });
    await this.ends.leaveIfDone(id);
  }

  #letGo(worker: string, { task, token, isAbandoned }: Holding): void {
    this.#options.pool.letGo(worker, token);
    if (!isAbandoned) this.#losses.lose(task, token, undelivered);
    this.#options.backlog.slotFreed();
  }

  #attached(namespace: string, id: string): WorkerActor {
    const worker = this.#options.pool.get(id);
    if (worker?.port != null && worker.row.namespace === namespace) return worker;
    throw new KantokuError("not-found", `worker ${id} is not registered on this node`, {
      data: { worker: id },
    });
  }
}
