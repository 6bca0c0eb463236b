import { KantokuError } from "../../sdk/errors.ts";
import { limits, namePattern } from "../../sdk/protocol/limits.ts";
import type { Recorded, StepRecord } from "../../sdk/protocol/service.ts";
import { isEnded, type TaskError } from "../../sdk/protocol/task.ts";
import { encodePayload } from "../../sdk/values/payload.ts";
import type { Engine } from "../engine/engine.ts";
import type { Caller, TaskMessage } from "../engine/messages.ts";
import { restoreSnapshot, type TaskActor } from "../engine/task-actor.ts";
import { taskOfToken } from "../engine/token.ts";
import type { TaskRow } from "../store/rows.ts";
import { reading } from "./faults.ts";
import { invalid } from "./submit-check.ts";

const progressSaveMs = 1_000;
const stepsPageRows = 1_000;

/** What workers say of their attempts. A report is for the attempt of its token, or it is late. */
export class Reports {
  readonly #engine: Engine;
  readonly #progressSavedAt = new Map<string, number>();

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
    actor.steps ??= await this.#readSteps(actor);
    return this.#post(actor, (caller) => ({
      type: "recordStep",
      token,
      step,
      occurrence,
      ...outcome,
      caller,
    }));
  }

  /** Live for subscribers at once; kept for readers at most once a second. */
  async progress(token: string, progress: unknown): Promise<void> {
    const text = encodePayload(progress, { at: "progress" });
    const task = taskOfToken(token);
    const actor = task === null ? undefined : this.#engine.life.directory.get(task);
    if (task === null || actor?.snapshot.context.token !== token) return;
    this.#engine.audience.progress(task, progress);
    const now = this.#engine.life.clock.monotonic();
    const savedAt = this.#progressSavedAt.get(token);
    if (savedAt !== undefined && now - savedAt < progressSaveMs) return;
    this.#progressSavedAt.set(token, now);
    await reading(() => this.#engine.store.tasks.saveProgress(task, text));
  }

  /** The worker has let go of the attempt, whatever comes of the report. */
  async #end(token: string, write: (caller: Caller<Recorded>) => TaskMessage): Promise<Recorded> {
    this.#progressSavedAt.delete(token);
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
    if (present !== undefined) {
      const isKnown = knows(present.snapshot.context, token) || present.isCommitting;
      return isKnown ? present : this.#outcomeOr(task, token, present);
    }
    const [row] = await reading(() => store.tasks.readMany([task]));
    if (row === undefined) return null;
    const settled = this.#settled(row, token);
    if (settled !== null) return settled;
    const worker = row.worker !== null && life.pool.get(row.worker) ? row.worker : undefined;
    const actor = await reading(() => life.post.reach(task, worker));
    if (actor === null) {
      throw new KantokuError("busy", "the task is on its way to another node; send again", {
        data: { retryAfterMs: 50 },
      });
    }
    return knows(actor.snapshot.context, token) ? actor : this.#outcomeOr(task, token, actor);
  }

  #settled(row: TaskRow, token: string): "recorded" | null {
    if (!isEnded(row.status)) return null;
    const { recordedToken } = restoreSnapshot(row, this.#engine.log).context;
    return recordedToken === token ? "recorded" : null;
  }

  /** An earlier attempt's report, sent again: the journal says whether it was recorded. */
  async #outcomeOr(task: string, token: string, actor: TaskActor): Promise<TaskActor | "recorded"> {
    const { journal } = this.#engine.store;
    for (const type of ["attempt.failed", "attempt.succeeded"]) {
      const rows = await reading(() => journal.readType(task, type, 0, stepsPageRows));
      const isThere = rows.some(
        ({ data }) => (JSON.parse(data) as { token: string }).token === token,
      );
      if (isThere) {
        // Reached and not needed: an empty turn would keep it, so let the next message decide.
        return "recorded";
      }
    }
    return actor;
  }

  async #readSteps(actor: TaskActor): Promise<Set<string>> {
    const { journal } = this.#engine.store;
    const steps = new Set<string>();
    for (let after = 0; ; ) {
      const rows = await reading(() =>
        journal.readType(actor.identity.id, "step.recorded", after, stepsPageRows),
      );
      for (const row of rows) {
        const { step, occurrence } = JSON.parse(row.data) as { step: string; occurrence: number };
        steps.add(`${step}#${occurrence}`);
        after = row.seq;
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
