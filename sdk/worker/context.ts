import type { LogSink, TaskContext, TaskLog } from "../context.ts";
import type { Service } from "../protocol/service.ts";
import { toTaskError } from "../values/task-error.ts";
import type { Attempt } from "./attempt.ts";
import { Children } from "./children.ts";
import { createTaskLog } from "./log.ts";
import { LooseEnds } from "./loose-ends.ts";
import { Progress } from "./progress.ts";
import { Steps } from "./steps.ts";
import type { Patience } from "./until-answered.ts";

/** What all attempts of a worker share. */
export interface Surroundings extends Patience {
  readonly service: Service;
  readonly sink: LogSink;
}

/** A task's context over its attempt. Everything that a plain task does not touch is made on first use. */
export class AttemptContext implements TaskContext {
  readonly #attempt: Attempt;
  readonly #surroundings: Surroundings;
  #log: TaskLog | undefined;
  #steps: Steps | undefined;
  #progress: Progress | undefined;
  #children: Children | undefined;
  #looseEnds: LooseEnds | undefined;
  #wasAborted = false;

  constructor(attempt: Attempt, surroundings: Surroundings) {
    this.#attempt = attempt;
    this.#surroundings = surroundings;
  }

  get task(): string {
    return this.#attempt.assignment.task;
  }

  get attempt(): number {
    return this.#attempt.assignment.attempt;
  }

  get idempotencyKey(): string {
    return this.#attempt.assignment.idempotencyKey;
  }

  get labels(): TaskContext["labels"] {
    return this.#attempt.assignment.labels;
  }

  get metadata(): TaskContext["metadata"] {
    return this.#attempt.assignment.metadata;
  }

  get abortSignal(): AbortSignal {
    return this.#attempt.abortSignal;
  }

  get log(): TaskLog {
    this.#log ??= createTaskLog(this.#attempt.assignment, this.#surroundings);
    return this.#log;
  }

  // Getters that give functions: they may be destructured, and cost nothing where they are not used.
  get progress(): TaskContext["progress"] {
    return (value) => {
      this.#progress ??= new Progress(this.#attempt.assignment.token, this.#surroundings);
      this.#progress.report(value);
    };
  }

  get step(): TaskContext["step"] {
    this.#steps ??= new Steps(this.#attempt, this.#surroundings.service, this.#surroundings);
    const steps = this.#steps;
    const ends = this.#promises();
    return (name, run) => ends.hold(steps.run(name, run));
  }

  get run(): TaskContext["run"] {
    const children = this.#family();
    const ends = this.#promises();
    return (call, options) => ends.hold(children.run(call, options));
  }

  get submit(): TaskContext["submit"] {
    const children = this.#family();
    const ends = this.#promises();
    return (call, options) => {
      const submitted = children.submit(call, options);
      return ends.hold(
        submitted.then(({ id, result }) => ({ id, result: () => ends.hold(result()) })),
      );
    };
  }

  #family(): Children {
    this.#children ??= new Children(this.#attempt, this.#surroundings);
    return this.#children;
  }

  #promises(): LooseEnds {
    this.#looseEnds ??= new LooseEnds((failure) => this.#tellUnawaited(failure));
    return this.#looseEnds;
  }

  #tellUnawaited(failure: unknown): void {
    // With an attempt or a worker that was stopped, everything under way fails.
    if (this.#wasAborted || this.#surroundings.stopped.aborted) return;
    const { message: reason } = toTaskError(failure);
    this.log.warn("a step or child that its function did not await has failed", { reason });
  }

  /** The function has ended: sends what was held back, and tells of what it has not awaited. */
  close(): void {
    this.#attempt.hasEnded = true;
    this.#progress?.flush();
    this.#wasAborted = this.#attempt.isAborted;
    this.#looseEnds?.close();
  }
}
