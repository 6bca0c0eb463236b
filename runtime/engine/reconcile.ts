import type { Beat } from "../../sdk/protocol/service.ts";
import { isSuspect } from "../machines/task.context.ts";
import type { Clock } from "../ports/clock.ts";
import type { Pool } from "./pool.ts";
import type { TaskDirectory } from "./task-directory.ts";
import { taskOfToken } from "./token.ts";
import type { WorkerActor } from "./worker-actor.ts";
import type { WorkerLosses } from "./worker-losses.ts";

interface ReconcileParts {
  readonly directory: TaskDirectory;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly losses: WorkerLosses;
}

/** What the store says of a worker's attempts, and what the worker does. */
interface Accounts {
  /** Tasks that run on the worker, as the store has it. */
  readonly held: readonly string[];
  /** Tokens that the worker says it holds. */
  readonly listed: ReadonlySet<string>;
  readonly isSameProcess: boolean;
  readonly wasDraining: boolean;
  /** The worker's last registration was with this node: nobody else has taken its tasks over. */
  readonly wasHere: boolean;
}

/** W1: holds what the worker lists against what its tasks wait for. */
export function reconcile(
  worker: WorkerActor,
  accounts: Accounts,
  { directory, pool, clock, losses }: ReconcileParts,
): Beat {
  const keep: string[] = [];
  for (const id of accounts.held) {
    const actor = directory.get(id);
    const token = actor?.snapshot.context.token;
    if (actor === undefined || token == null) continue;
    const holding = worker.holdings.get(token);
    if (accounts.listed.has(token)) {
      if (holding === undefined) {
        const isSuspected = isSuspect(actor.snapshot.context);
        pool.hold(worker, { token, task: id, isSuspect: isSuspected });
      }
      const kept = worker.holdings.get(token);
      if (kept !== undefined) kept.sentAt = clock.monotonic();
      keep.push(token);
    } else if (holding === undefined || (holding.sentAt !== null && !holding.isReported)) {
      pool.letGo(worker.row.id, token);
      const reason = accounts.isSameProcess ? "undelivered" : "process replaced";
      losses.lose(id, token, { reason, counts: !accounts.isSameProcess && !accounts.wasDraining });
    }
  }
  const kept = new Set(keep);
  const drop = [...accounts.listed].filter((token) => !kept.has(token));
  for (const { token, task, sentAt, isReported } of [...worker.holdings.values()]) {
    const actor = directory.get(task);
    const isRunning = actor?.snapshot.context.token === token;
    const isOnItsWay = sentAt === null && (actor?.isCommitting || actor?.isScheduled);
    // Of what is reported its own turn decides.
    if (kept.has(token) || isOnItsWay || isReported) continue;
    // Committed before its tasks were read, or while they were: it is sent when all is reconciled.
    const isUnsent = isRunning && sentAt === null;
    if (isUnsent && (accounts.wasHere || accounts.held.includes(task))) continue;
    if (!accounts.listed.has(token)) pool.letGo(worker.row.id, token);
    // The worker was on another node meanwhile, and the task went on there.
    if (isRunning && !accounts.held.includes(task)) directory.forget(task);
  }
  // They run on until the worker has stopped them, and take its slots that long.
  for (const token of drop) {
    pool.holdAbandoned(worker, { token, task: taskOfToken(token) ?? "" });
  }
  return { keep, drop };
}
