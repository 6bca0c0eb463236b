import { KantokuError } from "../errors.ts";
import { limits, namePattern } from "../protocol/limits.ts";
import type { Recorded, Service, StepRecord } from "../protocol/service.ts";
import type { JournalEvent, TaskError } from "../protocol/task.ts";
import { fromTaskError, toTaskError } from "../values/task-error.ts";
import type { Attempt } from "./attempt.ts";
import { encodeOutcome, toUnserialisable } from "./outcome.ts";
import { type Patience, untilAnswered } from "./until-answered.ts";

type Journal = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

/** The steps of one attempt: replayed from the journal by name and occurrence, else run and recorded. */
export class Steps {
  readonly #attempt: Attempt;
  readonly #service: Service;
  readonly #patience: Patience;
  readonly #uses = new Map<string, number>();
  #journal: Promise<Journal> | undefined;

  constructor(attempt: Attempt, service: Service, patience: Patience) {
    this.#attempt = attempt;
    this.#service = service;
    this.#patience = patience;
  }

  async run<Output>(name: string, work: () => Output | Promise<Output>): Promise<Output> {
    // Counted before the first await: the order of calls, not of completions, gives the occurrence.
    const occurrence = this.#use(name);
    this.#journal ??= this.#readJournal();
    const recorded = (await this.#journal).get(keyOf(name, occurrence));
    if (recorded) return replay(recorded) as Output;
    this.#attempt.throwIfAborted();
    const { span } = this.#attempt;
    const perform = () => this.#perform({ name, occurrence, work });
    return await (span === undefined ? perform() : span.step(perform, { name, occurrence }));
  }

  #use(name: string): number {
    if (typeof name !== "string" || !namePattern.test(name)) {
      const given = JSON.stringify(name)?.slice(0, limits.nameLengthMax);
      const fault = `${given} is not a step's name: it must match ${namePattern}`;
      throw new KantokuError("invalid-params", fault);
    }
    const occurrence = (this.#uses.get(name) ?? 0) + 1;
    this.#uses.set(name, occurrence);
    return occurrence;
  }

  async #perform<Output>(step: {
    name: string;
    occurrence: number;
    work: () => Output | Promise<Output>;
  }): Promise<Output> {
    const { token } = this.#attempt.assignment;
    const place = { token, step: step.name, occurrence: step.occurrence };
    try {
      const text = encodeOutcome(await step.work(), `step(${step.name})`);
      // What a later attempt will read: this one must not see more than that.
      const output: unknown = JSON.parse(text);
      await this.#record({ ...place, output });
      return output as Output;
    } catch (thrown) {
      await this.#recordFailure(place, thrown);
      throw thrown;
    }
  }

  // A retryable error just propagates: the next attempt runs the step again.
  async #recordFailure(place: StepRecord, thrown: unknown): Promise<void> {
    if (thrown instanceof RecordRefused) throw thrown.reason;
    const error = toTaskError(thrown);
    if (error.retryable === false) await this.#record({ ...place, error });
  }

  async #record(record: StepRecord): Promise<void> {
    const outcome = await untilAnswered<Recorded>(
      () => this.#service.recordStep(record),
      this.#patience,
    );
    if (outcome.kind === "answered" && outcome.answer.answer === "recorded") return;
    if (outcome.kind === "refused") throw new RecordRefused(toUnserialisable(outcome.error));
    const late = tooLate(this.#attempt);
    this.#attempt.drop(late);
    throw new RecordRefused(late);
  }

  async #readJournal(): Promise<Journal> {
    const { task, journal, journalNext } = this.#attempt.assignment;
    const known = new Map<string, Readonly<Record<string, unknown>>>();
    note(known, journal);
    let after = journalNext;
    while (after !== undefined) {
      const page = { id: task, after };
      const read = await untilAnswered(() => this.#service.events(page), this.#patience);
      if (read.kind === "refused") throw read.error;
      if (read.kind === "stopped") throw tooLate(this.#attempt);
      note(known, read.answer.events);
      after = read.answer.next;
    }
    return known;
  }
}

/** There is no record: the step's own outcome no longer matters. */
class RecordRefused {
  readonly reason: Error;

  constructor(reason: Error) {
    this.reason = reason;
  }
}

function note(journal: Map<string, JournalEvent["data"]>, events: readonly JournalEvent[]): void {
  for (const { type, data } of events) {
    if (type !== "step.recorded") continue;
    journal.set(keyOf(String(data["step"]), Number(data["occurrence"])), data);
  }
}

function replay(recorded: Readonly<Record<string, unknown>>): unknown {
  const error = recorded["error"];
  if (error !== undefined && error !== null) throw fromTaskError(error as TaskError);
  return recorded["output"];
}

// Names hold no blanks, so no two places share a key.
function keyOf(step: string, occurrence: number): string {
  return `${step} ${occurrence}`;
}

function tooLate({ assignment }: Attempt): KantokuError {
  return new KantokuError(
    "task-cancelled",
    `attempt ${assignment.attempt} of task ${assignment.task} had ended when its step was recorded`,
    { data: { task: assignment.task, reason: "late" } },
  );
}
