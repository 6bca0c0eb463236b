import type { CancelResult, RestartOptions, Service } from "../protocol/service.ts";
import type { JournalEvent, TaskStatus } from "../protocol/task.ts";
import type { Clock } from "../time/clock.ts";
import { type EventsOptions, followEvents } from "./events.ts";
import { outcomeById } from "./outcome.ts";
import type { WaitOptions } from "./submission.ts";

export interface HandleParts {
  readonly service: Service;
  readonly clock: Clock;
  readonly random: () => number;
  readonly closing: AbortSignal;
}

/** One task, held by its id. */
export class TaskHandle<Output = unknown> {
  readonly id: string;
  /** Whether the submit that gave this handle made the task; `false` for a known key. */
  readonly created: boolean;
  readonly #parts: HandleParts;

  constructor({ id, created }: { id: string; created: boolean }, parts: HandleParts) {
    this.id = id;
    this.created = created;
    this.#parts = parts;
  }

  /** The task's output, once it has ended; throws as `run` does. */
  result({ waitMs, signal }: WaitOptions = {}): Promise<Output> {
    return outcomeById<Output>(this.id, { ...this.#parts, waitMs, signal });
  }

  async status(): Promise<TaskStatus> {
    return (await this.#parts.service.get({ id: this.id })).status;
  }

  /** The journal, history first and then live, each event once; ends when the task has ended. */
  events(options: EventsOptions = {}): AsyncIterableIterator<JournalEvent> {
    return followEvents(this.id, { ...this.#parts, ...options });
  }

  /**
   * The task again, in place unless `mode` says otherwise, and whoever waits for it goes on. Throws
   * `conflict` when it has not failed. The handle is of this task, or of the root of the new tree.
   */
  async restart(options: RestartOptions = {}): Promise<TaskHandle<Output>> {
    const { id } = await this.#parts.service.restart({ id: this.id, ...options });
    if (id === this.id) return this;
    return new TaskHandle<Output>({ id, created: true }, this.#parts);
  }

  /** Asks for the end of the task; `accepted: false` when it had ended before. */
  cancel(reason?: string): Promise<CancelResult> {
    const ref = { id: this.id };
    return this.#parts.service.cancel(reason === undefined ? ref : { ...ref, reason });
  }
}
