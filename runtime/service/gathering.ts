import type { KantokuError } from "../../sdk/errors.ts";
import type { Engine } from "../engine/engine.ts";
import { busy } from "./faults.ts";

/** What may gather before a commit: beyond this submits are told to come again. */
const gatheredTurnsMax = 20_000;
const gatheredBytesMax = 64 * 1024 * 1024;
/** How long a submit waits for a database that does not answer. */
const outagePatienceMs = 700;
const outageLookMs = 150;

/** A submit that waits for its commit. */
export interface Pending {
  readonly bytes: number;
  fail(error: KantokuError): void;
}

/** The submits that wait for their commits: how much of them there may be, and for how long. */
export class Gathering {
  readonly #engine: Engine;
  readonly #pending = new Set<Pending>();
  #bytes = 0;
  #isWatchingOutage = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** @throws KantokuError `busy` when no more may gather now */
  assertRoom(): void {
    this.#engine.assertUp();
    if (this.#engine.life.commits.outageSince !== null) this.#watchOutage();
    if (this.#isOut) throw busy("the database takes no writes right now", 500);
    const isFull = this.#pending.size >= gatheredTurnsMax || this.#bytes >= gatheredBytesMax;
    if (isFull) throw busy("too much is waiting to be written", 50);
  }

  add(pending: Pending): void {
    this.#pending.add(pending);
    this.#bytes += pending.bytes;
    if (this.#pending.size === 1) this.#watchOutage();
  }

  /** Whether or not it is here still: it may have been let go. */
  delete(pending: Pending): void {
    if (this.#pending.delete(pending)) this.#bytes -= pending.bytes;
  }

  get #isOut(): boolean {
    const { commits, clock } = this.#engine.life;
    const { outageSince } = commits;
    return outageSince !== null && clock.monotonic() - outageSince > outagePatienceMs;
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
      if (this.#isOut) this.#letGo();
      if (this.#pending.size > 0) this.#watchOutage();
    });
  }

  #letGo(): void {
    const error = busy("the database takes no writes right now; send again under the key", 500);
    for (const pending of [...this.#pending]) {
      this.delete(pending);
      pending.fail(error);
    }
  }
}
