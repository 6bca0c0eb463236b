import { limits } from "../../sdk/protocol/limits.ts";
import type { Assignment } from "../../sdk/protocol/service.ts";
import type { JournalEvent } from "../../sdk/protocol/task.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { JournalStore } from "../store/store.ts";
import { toJournalEvent } from "./audience.ts";
import type { TaskDraft } from "./pen.ts";
import { cancelGraceMs } from "./policy.ts";
import type { Pool } from "./pool.ts";
import { isFailedStep, type TaskActor } from "./task-actor.ts";

const journalPageRows = 1_000;
/** So that steps which cannot be read at all are not asked for as fast as commits go. */
const unreadPauseMs = 1_000;

interface AssignmentsOptions {
  readonly pool: Pool;
  readonly journal: JournalStore;
  readonly log: Log;
  /** The database's, by which deadlines are drawn. */
  readonly clock: Clock;
  /** The attempt was not sent and will not be. */
  undelivered(attempt: UnsentAttempt): void;
}

export interface UnsentAttempt {
  readonly task: string;
  readonly worker: string;
  readonly token: string;
}

/** Performs what turns wish of workers, after their commit. */
export class Assignments {
  readonly #pool: Pool;
  readonly #journal: JournalStore;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #undelivered: AssignmentsOptions["undelivered"];

  constructor(options: AssignmentsOptions) {
    this.#pool = options.pool;
    this.#undelivered = options.undelivered;
    this.#clock = options.clock;
    this.#journal = options.journal;
    this.#log = options.log;
  }

  perform({ actor, effects }: TaskDraft): void {
    for (const effect of effects) {
      if (effect.type === "startAttempt") {
        // Folded away in the same turn: the attempt is over before it could be sent.
        if (actor.snapshot.context.token === effect.params.token) this.send(actor);
        continue;
      }
      const { worker, token, reason } = effect.params;
      if (worker === null || token === null) continue;
      this.#pool.get(worker)?.port?.cancel({ token, reason, graceMs: cancelGraceMs });
    }
  }

  /** Sends the running attempt to its worker; without a port it waits for the worker to come back. */
  send(actor: TaskActor): void {
    const { steps, token, worker } = actor.snapshot.context;
    if (token === null || worker === null) return;
    const attempt = { task: actor.identity.id, worker, token };
    // A worker that never heard of it has nothing to clean up.
    if (!isToBegin(actor, token)) return this.#undelivered(attempt);
    if (steps === 0) return this.#deliver(actor, [], undefined);
    this.#readSteps(actor).then(
      ({ journal, next }) => {
        // Meanwhile it may have been cancelled or lost, and another one may be on its own way.
        if (isToBegin(actor, token)) this.#deliver(actor, journal, next);
        else this.#undelivered(attempt);
      },
      (error: unknown) => {
        // No heartbeat loses what was never sent.
        this.#log.warn("assignment not sent; the attempt starts again", { ...attempt, error });
        this.#clock.after(unreadPauseMs, () => this.#undelivered(attempt));
      },
    );
  }

  /** An effect of an earlier owner's turn, derived from the snapshot. */
  sendCancel(actor: TaskActor): void {
    const { token, worker, cancel } = actor.snapshot.context;
    if (token === null || worker === null) return;
    const reason = cancel?.reason ?? "cancelled";
    this.#pool.get(worker)?.port?.cancel({ token, reason, graceMs: cancelGraceMs });
  }

  #deliver(actor: TaskActor, journal: readonly JournalEvent[], next: number | undefined): void {
    const { identity, state, snapshot } = actor;
    const { token, worker: workerId, attemptDeadlineAt } = snapshot.context;
    if (token === null || workerId === null) return;
    const worker = this.#pool.get(workerId);
    if (worker === undefined || worker.port === null) return;
    if (worker.holdings.get(token)?.sentAt !== null) return;
    this.#pool.markSent(workerId, token);
    const assignment: Assignment = {
      task: identity.id,
      attempt: snapshot.context.attempt,
      token,
      definition: identity.definition,
      version: state.version,
      input: JSON.parse(identity.input) as unknown,
      idempotencyKey: identity.id,
      journal,
      ...(next === undefined ? {} : { journalNext: next }),
      ...(attemptDeadlineAt === null ? {} : this.#timeOf(attemptDeadlineAt)),
      root: identity.root,
      ...(identity.parent === null ? {} : { parent: identity.parent }),
      labels: JSON.parse(identity.labels) as Assignment["labels"],
      metadata: JSON.parse(identity.metadata) as Assignment["metadata"],
      ...(identity.trace === null ? {} : { trace: identity.trace }),
    };
    worker.port.assign(assignment);
  }

  // The worker's clock may be another: what is left, it can measure by itself.
  #timeOf(deadlineAt: number): Pick<Assignment, "deadlineAt" | "deadlineInMs"> {
    return { deadlineAt, deadlineInMs: Math.max(0, deadlineAt - this.#clock.now()) };
  }

  /** The steps of earlier attempts, up to what an assignment may carry. */
  async #readSteps(actor: TaskActor): Promise<{ journal: JournalEvent[]; next?: number }> {
    const journal: JournalEvent[] = [];
    const { stepsBefore } = actor.snapshot.context;
    let bytes = 0;
    let steps = 0;
    for (let after = 0; ; ) {
      const rows = await this.#journal.readType(
        actor.identity.id,
        "step.recorded",
        after,
        journalPageRows,
      );
      for (const row of rows) {
        steps += 1;
        const isForgotten = steps <= stepsBefore && isFailedStep(row);
        bytes += isForgotten ? 0 : row.data.length;
        if (bytes > limits.assignmentJournalBytesMax) return { journal, next: after };
        if (!isForgotten) journal.push(toJournalEvent(row));
        after = row.seq;
      }
      if (rows.length < journalPageRows) return { journal };
    }
  }
}

function isToBegin({ snapshot }: TaskActor, token: string): boolean {
  return snapshot.value === "running" && snapshot.context.token === token;
}
