import type { AnyDefinition } from "../definition.ts";
import type { KantokuError } from "../errors.ts";
import type { Assignment } from "../protocol/service.ts";
import type { AttemptSpan } from "../telemetry/attempt-span.ts";

/** One assignment while this process holds it. */
export class Attempt {
  readonly assignment: Assignment;
  readonly definition: AnyDefinition;
  /** Another outcome stands already, or the server forgot the token: nobody waits for a report. */
  isDropped = false;
  /** Its function has ended, one way or the other: what is left is the report. */
  hasEnded = false;
  /** The log has said that its function goes on although it is dropped. */
  isToldOf = false;
  /** It waits for children, and has given its slot back for as long. */
  isWaiting = false;
  /** While the program traces. */
  span: AttemptSpan | undefined;
  #controller: AbortController | undefined;
  #abortReason: KantokuError | undefined;

  constructor(assignment: Assignment, definition: AnyDefinition) {
    this.assignment = assignment;
    this.definition = definition;
  }

  // Made on first use: most tasks never look at their signal, and a controller costs more than
  // all the rest of an attempt's bookkeeping.
  get abortSignal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#abortReason) this.#controller.abort(this.#abortReason);
    return this.#controller.signal;
  }

  get isAborted(): boolean {
    return this.#abortReason !== undefined;
  }

  /** The first reason stays. */
  abort(reason: KantokuError): void {
    if (this.#abortReason) return;
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }

  drop(reason: KantokuError): void {
    this.isDropped = true;
    this.abort(reason);
  }

  throwIfAborted(): void {
    if (this.#abortReason) throw this.#abortReason;
  }
}
