import { KantokuError } from "../../sdk/errors.ts";
import { limits, namePattern } from "../../sdk/protocol/limits.ts";
import type { Recorded, StepRecord } from "../../sdk/protocol/service.ts";
import { isEnded, type TaskError } from "../../sdk/protocol/task.ts";
import { encodePayload } from "../../sdk/values/payload.ts";
import type { Engine } from "../engine/engine.ts";
import type { Caller, TaskMessage } from "../engine/messages.ts";
import { isFailedStep, restoreSnapshot, stepKey, type TaskActor } from "../engine/task-actor.ts";
import { taskOfToken } from "../engine/token.ts";
import type { JsonText } from "../store/rows.ts";
import { reading } from "./faults.ts";
import { invalid } from "./submit-check.ts";

const progressSaveMs = 1_000;
const stepsPageRows = 1_000;

/** What workers say of their attempts. A report is for the attempt of its token, or it is late. */
export class Reports {
  readonly #engine: Engine;
  /** By token, for the second after a save: the latest progress that waits for the next one. */
  readonly #unsaved = new Map<string, JsonText | null>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  complete(token: string, output: unknown): Promise<Recorded> {
    const text = encodePayload(output, { at: "output" });
    return this.#end(token, (caller) => ({ type: "complete", token, output: text, caller }));
  }

  fail(token: string, error: TaskError): Promise<Recorded> {
    const checked = checkError(error);
    return this.#end(token, (caller) => ({ type: "fail", token, error: checked, caller }));
  }

  refuse(token: string, reason: string): Promise<Recorded> {
    return this.#end(token, (caller) => ({ type: "refuse", token, reason, caller }));
  }

  async recordStep(record: StepRecord): Promise<Recorded> {
    const { token, step, occurrence, output, error } = record;
    if (typeof step !== "string" || !namePattern.test(step)) {
      throw invalid("step", `must match ${namePattern.source}`);
    }
    if (!Number.isInteger(occurrence) || occurrence < 1) {
      throw invalid("occurrence", "must be a positive integer");
    }
    const outcome =
      error === undefined
        ? { output: JSON.parse(encodePayload(output, { at: "output" })) as unknown }
        : { error: checkError(error) };
    const actor = await this.#reach(token);
    if (actor === null || actor === "recorded") return { answer: "late" };
    const known = actor.steps ?? (await this.#readSteps(actor));
    // Whoever read first may have recorded since: its set has more.
    actor.steps ??= known;
    return this.#post(actor, (caller) => ({
      type: "recordStep",
      token,
      step,
      occurrence,
      ...outcome,
      caller,
    }));
  }

  suspend(token: string): boolean {
    const { pool, backlog } = this.#engine.life;
    const isSuspended = pool.suspend(token);
    if (isSuspended) backlog.slotFreed();
    return isSuspended;
  }

  resume(token: string): void {
    this.#engine.life.pool.resume(token);
  }

  /** Live for subscribers at once; the last value is kept for readers, at most once a second. */
  async progress(token: string, progress: unknown): Promise<void> {
    const text = encodePayload(progress, { at: "progress" });
    const task = taskOfToken(token);
    const actor = task === null ? undefined : this.#engine.life.directory.get(task);
    if (task === null || actor?.snapshot.context.token !== token) return;
    this.#engine.audience.progress(task, progress);
    const isSoon = this.#unsaved.has(token);
    this.#unsaved.set(token, isSoon ? text : null);
    if (!isSoon) await this.#saveProgress({ task, token }, text);
  }

  async #saveProgress(attempt: { task: string; token: string }, text: JsonText): Promise<void> {
    const { task, token } = attempt;
    this.#engine.life.clock.after(progressSaveMs, () => {
      const unsaved = this.#unsaved.get(token) ?? null;
      if (unsaved === null) {
        this.#unsaved.delete(token);
        return;
      }
      this.#unsaved.set(token, null);
      this.#saveProgress(attempt, unsaved).catch((error: unknown) => {
        this.#engine.log.warn("progress not saved", { task, error });
      });
    });
    await reading(() => this.#engine.store.tasks.saveProgress(task, text));
  }

  /** The worker has let go of the attempt, whatever comes of the report. */
  async #end(token: string, write: (caller: Caller<Recorded>) => TaskMessage): Promise<Recorded> {
    const { pool, directory } = this.#engine.life;
    const task = taskOfToken(token);
    const present = task === null ? undefined : directory.get(task);
    const worker = present?.snapshot.context.worker ?? null;
    const isHeld = worker !== null && pool.letGo(worker, token);
    const isAbandoned = !isHeld && pool.letGo(pool.holderOf(token)?.row.id ?? "", token);
    const actor = await this.#reach(token);
    // After the message, so that a task that takes the slot is in the same commit.
    const answer =
      actor === "recorded" || actor === null
        ? { answer: actor === null ? ("late" as const) : actor }
        : this.#post(actor, write);
    if (isHeld || isAbandoned) this.#engine.life.backlog.slotFreed();
    return answer;
  }

  #post(actor: TaskActor, write: (caller: Caller<Recorded>) => TaskMessage): Promise<Recorded> {
    return new Promise((resolve, reject) => {
      this.#engine.life.directory.post(actor, write({ answer: resolve, fail: reject }));
    });
  }

  /**
   * The actor that a report is for; `recorded` when the journal already holds this attempt's
   * outcome; null when no task waits for the report any more and nothing need be noted.
   */
  async #reach(token: string): Promise<TaskActor | "recorded" | null> {
    const task = taskOfToken(token);
    if (task === null) throw invalid("token", "is not one that was assigned");
    this.#engine.assertUp();
    const { life, store } = this.#engine;
    const present = life.directory.get(task);
    if (present?.isCommitting || (present && knows(present.snapshot.context, token)))
      return present;
    const [row] = await reading(() => store.tasks.readMany([task]));
    if (row === undefined) return null;
    // Before ownership is taken: only a turn would give it back, and a repeat needs none.
    const { context } = restoreSnapshot(row, this.#engine.log);
    if (isEnded(row.status) && context.recordedToken === token) return "recorded";
    if (!knows(context, token) && (await this.#isRecorded(task, token))) return "recorded";
    const worker = row.worker !== null && life.pool.get(row.worker) ? row.worker : undefined;
    const actor = await reading(() => life.post.reach(task, worker));
    if (actor === null) {
      throw new KantokuError("busy", "the task is on its way to another node; send again", {
        data: { retryAfterMs: 50 },
      });
    }
    return actor;
  }

  /** An earlier attempt's report, sent again: the journal says whether it was recorded. */
  async #isRecorded(task: string, token: string): Promise<boolean> {
    const { journal } = this.#engine.store;
    for (const type of ["attempt.failed", "attempt.succeeded"]) {
      const rows = await reading(() => journal.readType(task, type, 0, stepsPageRows));
      const isThere = rows.some(
        ({ data }) => (JSON.parse(data) as { token: string }).token === token,
      );
      if (isThere) return true;
    }
    return false;
  }

  async #readSteps(actor: TaskActor): Promise<Set<string>> {
    const { journal } = this.#engine.store;
    const steps = new Set<string>();
    let count = 0;
    const { stepsBefore } = actor.snapshot.context;
    for (let after = 0; ; ) {
      const rows = await reading(() =>
        journal.readType(actor.identity.id, "step.recorded", after, stepsPageRows),
      );
      for (const row of rows) {
        count += 1;
        after = row.seq;
        if (count <= stepsBefore && isFailedStep(row)) continue;
        steps.add(stepKey(JSON.parse(row.data) as { step: string; occurrence: number }));
      }
      if (rows.length < stepsPageRows) return steps;
    }
  }
}

function knows(context: TaskActor["snapshot"]["context"], token: string): boolean {
  return [context.token, context.recordedToken, context.lateToken].includes(token);
}

function checkError(error: TaskError): TaskError {
  const isError = typeof error?.name === "string" && typeof error.message === "string";
  if (!isError) throw invalid("error", "must have a name and a message");
  const text = encodePayload(error, { at: "error", bytesMax: limits.errorBytesMax });
  return JSON.parse(text) as TaskError;
}
