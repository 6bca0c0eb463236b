import { isEnded } from "../../sdk/protocol/task.ts";
import type { Clock } from "../ports/clock.ts";
import type { Deadlines } from "./deadlines.ts";
import type { TaskMessage } from "./messages.ts";
import type { TaskActor } from "./task-actor.ts";

/** The tasks in this node's memory, and the deadlines that are armed for them. */
export class TaskActors {
  readonly #actors = new Map<string, TaskActor>();
  readonly #deadlines: Deadlines;
  readonly #clock: Clock;

  constructor(options: { deadlines: Deadlines; clock: Clock }) {
    this.#deadlines = options.deadlines;
    this.#clock = options.clock;
  }

  get size(): number {
    return this.#actors.size;
  }

  all(): Iterable<TaskActor> {
    return this.#actors.values();
  }

  get(id: string): TaskActor | undefined {
    return this.#actors.get(id);
  }

  /** Whether this very actor is in memory: another may have taken its place. */
  holds(actor: TaskActor): boolean {
    return this.#actors.get(actor.identity.id) === actor;
  }

  put(actor: TaskActor): void {
    this.#actors.set(actor.identity.id, actor);
  }

  remove(actor: TaskActor): void {
    if (!this.holds(actor)) return;
    this.#actors.delete(actor.identity.id);
    const { token } = actor.snapshot.context;
    if (token !== null) this.#deadlines.clear(token);
  }

  clear(): void {
    this.#actors.clear();
  }

  /**
   * Derived from the snapshot, so that the next owner arms the same ones. They ring for the task as
   * it is in memory then.
   */
  armDeadlines(
    { identity, state, snapshot }: TaskActor,
    ring: (actor: TaskActor, message: TaskMessage) => void,
  ): void {
    const { context, value } = snapshot;
    const { token } = context;
    if (token === null || isEnded(state.status)) return;
    const now = this.#clock.now();
    const arm = (dueAt: number, type: "expire" | "abandon") =>
      this.#deadlines.set(token, { now, dueAt }, () => {
        const present = this.#actors.get(identity.id);
        if (present !== undefined) ring(present, { type, token });
      });
    if (value === "running" && context.attemptDeadlineAt !== null) {
      arm(context.attemptDeadlineAt, "expire");
    }
    if (value === "cancelling") arm(context.cancel?.graceUntil ?? now, "abandon");
  }

  disarm(token: string): void {
    this.#deadlines.clear(token);
  }
}
