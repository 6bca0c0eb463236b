import { KantokuError } from "../../sdk/errors.ts";
import { limits, namePattern } from "../../sdk/protocol/limits.ts";
import type { Recorded, StepRecord } from "../../sdk/protocol/service.ts";
import { isEnded, type TaskError } from "../../sdk/protocol/task.ts";
import { canonicalJson } from "../../sdk/values/canonical.ts";
import { encodePayload } from "../../sdk/values/payload.ts";
import { boundTaskError } from "../../sdk/values/task-error.ts";
import type { Engine } from "../engine/engine.ts";
import type { Caller, TaskMessage } from "../engine/messages.ts";
import { isFailedStep, readSnapshot, stepKey, type TaskActor } from "../engine/task-actor.ts";
import { taskOfToken } from "../engine/token.ts";
import type { EventRow, JsonText } from "../store/rows.ts";
import { invalid, reading } from "./faults.ts";

const progressSaveMs = 1_000;
const pageRows = 1_000;

/** Whose report it is: workers of one namespace know nothing of the attempts of another. */
export interface AttemptRef {
  readonly namespace: string;
  readonly token: string;
}

/** What workers say of their attempts. A report is for the attempt of its token, or it is late. */
export class Reports {
  readonly #engine: Engine;
  /** By token, for the second after a save: the latest progress that waits for the next one. */
  readonly #unsaved = new Map<string, JsonText | null>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  complete(ref: AttemptRef, output: unknown): Promise<Recorded> {
    const { token } = ref;
    const text = encodePayload(output, { at: "output" });
    return this.#end(ref, (caller) => ({ type: "complete", token, output: text, caller }));
  }

  fail(ref: AttemptRef, error: TaskError): Promise<Recorded> {
    const { token } = ref;
    const checked = checkError(error);
    return this.#end(ref, (caller) => ({ type: "fail", token, error: checked, caller }));
  }

  refuse(ref: AttemptRef, reason: string): Promise<Recorded> {
    const { token } = ref;
    return this.#end(ref, (caller) => ({ type: "refuse", token, reason, caller }));
  }

  async recordStep(namespace: string, record: StepRecord): Promise<Recorded> {
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
    const actor = await this.#reach({ namespace, token });
    if (actor === "late" || actor === "recorded") return { answer: "late" };
    try {
      await this.#assertNoOther(actor, { ...record, ...outcome });
    } catch (error) {
      // It may have been taken for this report alone, and no turn of it gives it back.
      this.#engine.life.directory.leave([actor]);
      throw error;
    }
    return this.#post(actor, (caller) => ({
      type: "recordStep",
      token,
      step,
      occurrence,
      ...outcome,
      caller,
    }));
  }

  suspend(ref: AttemptRef): boolean {
    const { pool, backlog } = this.#engine.life;
    const isSuspended = this.#isHeldHere(ref) && pool.suspend(ref.token);
    if (isSuspended) backlog.slotFreed();
    return isSuspended;
  }

  resume(ref: AttemptRef): void {
    if (this.#isHeldHere(ref)) this.#engine.life.pool.resume(ref.token);
  }

  #isHeldHere({ namespace, token }: AttemptRef): boolean {
    return this.#engine.life.pool.holderOf(token)?.row.namespace === namespace;
  }

  /** Live for subscribers at once; the last value is kept for readers, at most once a second. */
  async progress({ namespace, token }: AttemptRef, progress: unknown): Promise<void> {
    const text = encodePayload(progress, { at: "progress" });
    const task = taskOfToken(token);
    const actor = task === null ? undefined : this.#engine.life.directory.get(task);
    if (task === null || actor?.snapshot.context.token !== token) return;
    if (actor.identity.namespace !== namespace) return;
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

  /** The worker is done with the attempt, whatever comes of the report. */
  async #end(ref: AttemptRef, write: (caller: Caller<Recorded>) => TaskMessage): Promise<Recorded> {
    const { pool, backlog } = this.#engine.life;
    const worker = this.#isHeldHere(ref) ? (pool.holderOf(ref.token)?.row.id ?? "") : "";
    const isFirst = pool.report(worker, ref.token);
    // In the tick of the report, so that a claimed task that takes the slot is in the same commit.
    if (isFirst) backlog.slotFreed();
    try {
      const actor = await this.#reach(ref);
      return await (actor === "recorded" || actor === "late"
        ? { answer: actor }
        : this.#post(actor, write));
    } finally {
      if (isFirst) pool.letGo(worker, ref.token);
      // Before the answer: whoever drained knows by the last one that its place is free.
      if (this.#isDraining(worker)) await this.#engine.life.workers.ends.leaveIfDone(worker);
    }
  }

  #isDraining(worker: string): boolean {
    return this.#engine.life.pool.get(worker)?.row.status === "draining";
  }

  #post(actor: TaskActor, write: (caller: Caller<Recorded>) => TaskMessage): Promise<Recorded> {
    return new Promise((resolve, reject) => {
      this.#engine.life.directory.post(actor, write({ answer: resolve, fail: reject }));
    });
  }

  /**
   * The actor that a report is for; `recorded` when the journal already holds this attempt's
   * outcome; `late` when no task waits for the report any more and nothing need be noted.
   * @throws KantokuError `not-found` for a token that nobody ever had
   */
  async #reach({ namespace, token }: AttemptRef): Promise<TaskActor | "recorded" | "late"> {
    const task = taskOfToken(token);
    if (task === null) throw invalid("token", "is not one that was assigned");
    this.#engine.assertUp();
    const { life, store } = this.#engine;
    const present = life.directory.get(task);
    const isOurs = present?.identity.namespace === namespace;
    if (present && isOurs && knows(present.snapshot.context, token)) return present;
    const [row] = await reading(() => store.tasks.readMany([task]));
    if (row === undefined || row.namespace !== namespace) throw unknownToken(token);
    // Before ownership is taken: only a turn would give it back, and a repeat needs none.
    const { context } = await reading(() => readSnapshot(row, store.journal));
    if (isEnded(row.status) && context.recordedToken === token) return "recorded";
    if (!knows(context, token)) {
      const known = await this.#fateOf(task, token);
      if (known !== null) return known;
    }
    const worker = row.worker !== null && life.pool.get(row.worker) ? row.worker : undefined;
    const actor = await reading(() => life.post.reach(task, worker));
    if (actor === null) {
      throw new KantokuError("busy", "the task is on its way to another node; send again", {
        data: { retryAfterMs: 50 },
      });
    }
    return actor;
  }

  /**
   * What the journal says of an attempt that its task does not remember: an earlier one whose report
   * is sent again, one that was noted as late before, or, null, one whose report is news.
   */
  async #fateOf(task: string, token: string): Promise<"recorded" | "late" | null> {
    const isIn = ({ data }: EventRow): boolean =>
      (JSON.parse(data) as { token: string }).token === token;
    const isThere = async (type: string): Promise<boolean> => {
      for await (const rows of this.#pagesOf(task, type)) if (rows.some(isIn)) return true;
      return false;
    };
    if (!(await isThere("attempt.assigned"))) throw unknownToken(token);
    for (const type of ["attempt.failed", "attempt.succeeded"]) {
      if (await isThere(type)) return "recorded";
    }
    return (await isThere("attempt.late")) ? "late" : null;
  }

  /** A step has one outcome: a worker that says another one now goes on with what is not recorded. */
  async #assertNoOther(actor: TaskActor, record: StepRecord): Promise<void> {
    const key = stepKey(record);
    const known = actor.steps ?? (await this.#readSteps(actor));
    // Whoever read first may have recorded since: its set has more.
    actor.steps ??= known;
    if (!actor.steps.has(key)) return;
    const { identity } = actor;
    for await (const rows of this.#pagesOf(identity.id, "step.recorded")) {
      const steps = rows.map(({ data }) => JSON.parse(data) as StepRecord);
      const recorded = steps.findLast((it) => stepKey(it) === key);
      if (recorded === undefined) continue;
      if (outcomeText(recorded) === outcomeText(record)) return;
      const { step, occurrence } = record;
      throw new KantokuError("conflict", `step ${key} is recorded with another outcome`, {
        data: { task: identity.id, step, occurrence },
      });
    }
  }

  async #readSteps({ identity, snapshot }: TaskActor): Promise<Set<string>> {
    const steps = new Set<string>();
    let count = 0;
    for await (const rows of this.#pagesOf(identity.id, "step.recorded")) {
      for (const row of rows) {
        count += 1;
        if (count <= snapshot.context.stepsBefore && isFailedStep(row)) continue;
        steps.add(stepKey(JSON.parse(row.data) as { step: string; occurrence: number }));
      }
    }
    return steps;
  }

  /** A task's events of one type, from the first on. */
  async *#pagesOf(task: string, type: string): AsyncGenerator<readonly EventRow[]> {
    const { journal } = this.#engine.store;
    for (let after = 0; ; ) {
      const rows = await reading(() => journal.readType(task, type, after, pageRows));
      yield rows;
      const last = rows.at(-1);
      if (last === undefined || rows.length < pageRows) return;
      after = last.seq;
    }
  }
}

function outcomeText({ output, error }: StepRecord): string {
  return canonicalJson(error === undefined ? { output: output ?? null } : { error });
}

function unknownToken(token: string): KantokuError {
  return new KantokuError("not-found", `no attempt ever had the token ${token}`, {
    data: { token },
  });
}

function knows(context: TaskActor["snapshot"]["context"], token: string): boolean {
  return [context.token, context.recordedToken, context.lateToken].includes(token);
}

function checkError(error: TaskError): TaskError {
  const isError = typeof error?.name === "string" && typeof error.message === "string";
  if (!isError) throw invalid("error", "must have a name and a message");
  const text = encodePayload(error, { at: "error", bytesMax: limits.errorBytesMax });
  return boundTaskError(JSON.parse(text) as TaskError);
}
