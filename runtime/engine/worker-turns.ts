import type { WorkerEvent } from "../machines/worker.machine.ts";
import type { Clock } from "../ports/clock.ts";
import type { WorkerRow } from "../store/rows.ts";
import type { StoreError } from "../store/store.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Pool } from "./pool.ts";
import { draftWorkerTurn, foldWorker } from "./worker-actor.ts";

interface WorkerTurnsOptions {
  readonly clock: Clock;
  readonly commits: GroupCommit;
  readonly pool: Pool;
  readonly leaseMs: number;
}

/** Turns of workers: each is one event, committed before the next one of that worker is folded. */
export class WorkerTurns {
  readonly #options: WorkerTurnsOptions;
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(options: WorkerTurnsOptions) {
    this.#options = options;
  }

  /** One committed event of one worker, after those before it. */
  take(row: WorkerRow, event: WorkerEvent): Promise<WorkerRow> {
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

export function isOneRegistration(a: WorkerRow, b: WorkerRow): boolean {
  return a.instance === b.instance && a.registeredAt === b.registeredAt;
}
