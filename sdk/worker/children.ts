import type { CallData } from "../call.ts";
import { KnownPipelines } from "../client/known-pipelines.ts";
import { outcomeById } from "../client/outcome.ts";
import { toSubmission } from "../client/submission.ts";
import type { ChildHandle, ChildOptions } from "../context.ts";
import { KantokuError } from "../errors.ts";
import { checkInputs } from "../graph/plain-input.ts";
import { type Runnable, toCall } from "../graph/value.ts";
import type { RunResult, Service } from "../protocol/service.ts";
import type { TaskRef } from "../protocol/task.ts";
import type { Attempt } from "./attempt.ts";
import { type Patience, untilAnswered } from "./until-answered.ts";

interface ChildrenParts extends Patience {
  readonly service: Service;
}

/**
 * The tasks that one attempt submits. A child is known by its parent, its definition and the
 * how-manieth call of that definition it is: an attempt that runs again finds the same ones.
 */
export class Children {
  readonly #attempt: Attempt;
  readonly #parts: ChildrenParts;
  readonly #pipelines: KnownPipelines;
  readonly #uses = new Map<string, number>();
  #waits = 0;

  constructor(attempt: Attempt, parts: ChildrenParts) {
    this.#attempt = attempt;
    this.#parts = parts;
    this.#pipelines = new KnownPipelines(parts.service);
  }

  async run<Output>(call: Runnable<Output>, options?: ChildOptions): Promise<Output> {
    const child = await this.submit(call, options);
    return child.result();
  }

  submit<Output>(given: Runnable<Output>, options?: ChildOptions): Promise<ChildHandle<Output>> {
    const call = toCall(given);
    // Named before the first await: the order of calls gives the occurrence.
    const name = options?.name ?? this.#nameFor(call.definition);
    return this.#submit(call, name);
  }

  async #submit<Output>(call: CallData<Output>, name: string): Promise<ChildHandle<Output>> {
    this.#attempt.throwIfAborted();
    const { params: keyed, pipelines, inputs } = toSubmission(call, {});
    await checkInputs(inputs);
    const { idempotencyKey: _, ...params } = keyed;
    const { stopped } = this.#parts;
    await this.#answered(() => this.#pipelines.ensure(pipelines), stopped);
    const { token } = this.#attempt.assignment;
    const child = { ...params, parent: { token, name } };
    const submitted = await this.#answered(() => this.#parts.service.submit(child), stopped);
    return { id: submitted.id, result: () => this.#await<Output>(submitted.id) };
  }

  #nameFor(definition: string): string {
    const occurrence = (this.#uses.get(definition) ?? 0) + 1;
    this.#uses.set(definition, occurrence);
    return `${definition}#${occurrence}`;
  }

  /** While it waits for any of its children the task has no slot, so that they may have it. */
  async #await<Output>(id: string): Promise<Output> {
    this.#attempt.throwIfAborted();
    const { abortSignal: signal } = this.#attempt;
    this.#waits += 1;
    if (this.#waits === 1) this.#giveSlotBack();
    try {
      return await outcomeById<Output>(id, {
        ...this.#parts,
        service: { result: (params) => this.#result(params, signal) },
        waitMs: undefined,
        signal,
        closing: this.#parts.stopped,
      });
    } finally {
      this.#waits -= 1;
      if (this.#waits === 0) this.#takeSlot();
    }
  }

  #result(
    params: TaskRef & { readonly waitMs?: number },
    stopped: AbortSignal,
  ): Promise<RunResult> {
    return this.#answered(() => this.#parts.service.result(params), stopped);
  }

  // An outage is none of the author's business: thrown into the task, it would end the attempt.
  async #answered<Answer>(send: () => Promise<Answer>, stopped: AbortSignal): Promise<Answer> {
    const sent = await untilAnswered(send, { ...this.#parts, stopped });
    if (sent.kind === "answered") return sent.answer;
    throw sent.kind === "refused" ? sent.error : this.#stopped();
  }

  // Both only say what this process does: when the word is lost, a slot stays taken or is lent out.
  #giveSlotBack(): void {
    this.#attempt.isWaiting = true;
    const { token } = this.#attempt.assignment;
    this.#parts.service.suspend({ token }).catch(ignore);
  }

  #takeSlot(): void {
    this.#attempt.isWaiting = false;
    const { token } = this.#attempt.assignment;
    this.#parts.service.resume({ token }).catch(ignore);
  }

  #stopped(): KantokuError {
    const { task } = this.#attempt.assignment;
    return new KantokuError("task-cancelled", `the attempt of task ${task} is over`, {
      data: { task },
    });
  }
}

function ignore(): void {}
