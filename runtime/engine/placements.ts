import { isSuspect } from "../machines/task.context.ts";
import type { Entropy } from "../ports/entropy.ts";
import type { Backlog } from "./backlog.ts";
import type { Placement } from "./messages.ts";
import { type Pool, placementOf } from "./pool.ts";
import { mintToken } from "./token.ts";
import type { Candidate } from "./turn.ts";
import type { WorkerActor } from "./worker-actor.ts";

/** Slots reserved for tasks, from the turn that wants one to the commit that is told of it. */
export class Placements {
  readonly #pool: Pool;
  readonly #entropy: Entropy;
  #backlog: Backlog | null = null;

  constructor(options: { pool: Pool; entropy: Entropy }) {
    this.#pool = options.pool;
    this.#entropy = options.entropy;
  }

  connect(backlog: Backlog): void {
    this.#backlog = backlog;
  }

  /** A slot for a task that is ready, unless others stand before it; then it goes to the queue. */
  place(candidate: Candidate): Placement | null {
    const head = headOf(candidate);
    const worker = this.#backlog?.hasRoomAtOnce(head)
      ? this.#pool.pick(head, isSuspect(candidate.snapshot.context))
      : null;
    if (worker !== null) return this.reserve(candidate, worker);
    this.#backlog?.willQueue();
    return null;
  }

  reserve(candidate: Candidate, worker: WorkerActor): Placement {
    const { identity, snapshot } = candidate;
    const token = mintToken(identity.id, snapshot.context.attempt + 1, this.#entropy);
    const isSuspected = isSuspect(snapshot.context);
    this.#pool.hold(worker, { token, task: identity.id, isSuspect: isSuspected });
    return placementOf(worker, token, this.#pool.versionFor(worker, headOf(candidate)));
  }

  giveBack({ worker, token }: Placement): void {
    this.#pool.letGo(worker, token);
    this.#backlog?.slotFreed();
  }
}

function headOf({ identity: { namespace, definition }, version }: Candidate) {
  return { namespace, definition, version };
}
