import { KantokuError } from "../../sdk/errors.ts";
import type { SubmitParams, Submitted } from "../../sdk/protocol/service.ts";
import { canonicalJson } from "../../sdk/values/canonical.ts";
import type { Engine } from "../engine/engine.ts";
import type { Caller } from "../engine/messages.ts";
import type { TaskIdentity, TaskRow } from "../store/rows.ts";
import { reading } from "./faults.ts";
import { type CheckedSubmit, checkSubmit } from "./submit-check.ts";

/** What may gather before a commit: beyond this submits are told to come again. */
const gatheredTurnsMax = 20_000;
const gatheredBytesMax = 64 * 1024 * 1024;
/** How long a submit waits for a database that does not answer. */
const outagePatienceMs = 700;
const outageLookMs = 150;

/** Takes submits in: checks, bounds, idempotency keys. One for a node, all namespaces. */
export class Submissions {
  readonly #engine: Engine;
  readonly #pending = new Set<Pending>();
  #pendingBytes = 0;
  #isWatchingOutage = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Resolves once the task is durable. */
  async submit(namespace: string, params: SubmitParams): Promise<Submitted> {
    const checked = checkSubmit(params);
    for (let tries = 0; ; tries += 1) {
      this.#assertRoom();
      const identity = this.#identify(namespace, checked);
      const submitted = await this.#commit(identity, checked);
      if (submitted !== null) return submitted;
      const winner = await this.#readWinner(namespace, checked);
      if (winner !== null) return { id: winner.id, status: winner.status, created: false };
      // The winner was deleted by retention between the two looks: the key is free again.
      if (tries === 3) throw new KantokuError("busy", "the idempotency key is contended");
    }
  }

  #identify(namespace: string, checked: CheckedSubmit): TaskIdentity {
    const id = this.#engine.entropy.id();
    const { definition, key, priority, input, labels, metadata, trace } = checked;
    const createdAt = this.#engine.life.clock.now();
    return {
      id,
      namespace,
      definition,
      key,
      priority,
      input,
      labels,
      metadata,
      root: id,
      parent: null,
      trace,
      createdAt,
    };
  }

  /** Null: the key was taken. */
  #commit(identity: TaskIdentity, checked: CheckedSubmit): Promise<Submitted | null> {
    const { directory } = this.#engine.life;
    const actor = directory.create(identity);
    return new Promise((resolve, reject) => {
      const pending: Pending = { fail: reject, bytes: identity.input.length + 1_024 };
      this.#add(pending);
      const caller: Caller<{ created: boolean }> = {
        answer: ({ created }) => {
          this.#delete(pending);
          resolve(created ? { id: identity.id, status: actor.state.status, created } : null);
        },
        fail: (error) => {
          this.#delete(pending);
          reject(error);
        },
      };
      const { version, startAt, asked } = checked;
      directory.post(actor, { type: "submit", version, startAt, asked, caller });
    });
  }

  /** @throws KantokuError `conflict` when the key's task has another body. */
  async #readWinner(namespace: string, checked: CheckedSubmit): Promise<TaskRow | null> {
    const { key } = checked;
    if (key === null) return null;
    const winner = await reading(() => this.#engine.store.tasks.readByKey(namespace, key));
    if (winner === null || hasSameBody(winner, checked)) return winner;
    throw new KantokuError(
      "conflict",
      `idempotency key ${JSON.stringify(key)} belongs to task ${winner.id}, which has another body`,
      { data: { task: winner.id, key } },
    );
  }

  #assertRoom(): void {
    this.#engine.assertUp();
    const { outageSince } = this.#engine.life.commits;
    if (outageSince !== null) this.#watchOutage();
    const isOut =
      outageSince !== null && this.#engine.life.clock.monotonic() - outageSince > outagePatienceMs;
    if (isOut) throw busy("the database does not answer right now", 500);
    const isFull = this.#pending.size >= gatheredTurnsMax || this.#pendingBytes >= gatheredBytesMax;
    if (isFull) throw busy("too much is waiting to be written", 50);
  }

  #add(pending: Pending): void {
    this.#pending.add(pending);
    this.#pendingBytes += pending.bytes;
    if (this.#pending.size === 1) this.#watchOutage();
  }

  #delete(pending: Pending): void {
    if (this.#pending.delete(pending)) this.#pendingBytes -= pending.bytes;
  }

  /**
   * Looks now and then whether the database answers while somebody waits. A caller that is let go
   * may come again under its key and finds the task, should the batch be written after all.
   */
  #watchOutage(): void {
    if (this.#isWatchingOutage) return;
    this.#isWatchingOutage = true;
    this.#engine.life.clock.after(outageLookMs, () => {
      this.#isWatchingOutage = false;
      const { life } = this.#engine;
      const { outageSince } = life.commits;
      if (outageSince !== null && life.clock.monotonic() - outageSince > outagePatienceMs) {
        const error = busy("the database does not answer right now; send again under the key", 500);
        for (const pending of [...this.#pending]) {
          this.#delete(pending);
          pending.fail(error);
        }
      }
      if (this.#pending.size > 0) this.#watchOutage();
    });
  }
}

interface Pending {
  fail(error: KantokuError): void;
  readonly bytes: number;
}

/** The body compared is the canonical form of definition, version and input. */
function hasSameBody(winner: TaskRow, checked: CheckedSubmit): boolean {
  if (winner.definition !== checked.definition) return false;
  if (checked.version !== "" && winner.version !== checked.version) return false;
  if (winner.input === checked.input) return true;
  return canonicalJson(JSON.parse(winner.input)) === canonicalJson(JSON.parse(checked.input));
}

function busy(message: string, retryAfterMs: number): KantokuError {
  return new KantokuError("busy", message, { data: { retryAfterMs } });
}
