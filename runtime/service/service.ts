import type { GraphView, PipelineBody, PipelineView } from "../../sdk/protocol/graph.ts";
import { limits } from "../../sdk/protocol/limits.ts";
import type {
  Beat,
  CancelResult,
  EventPage,
  Finding,
  GraphSubmit,
  Listener,
  ListParams,
  PipelineListParams,
  PipelinePage,
  Recorded,
  RegisterParams,
  Restarted,
  RestartOptions,
  RunResult,
  Service,
  StepRecord,
  SubmitParams,
  Submitted,
  Subscriber,
  Subscription,
  TaskPage,
  WorkerLink,
  WorkerListParams,
  WorkerPage,
  WorkerPort,
} from "../../sdk/protocol/service.ts";
import type { TaskError, TaskRef, TaskView } from "../../sdk/protocol/task.ts";
import { toJournalEvent } from "../engine/audience.ts";
import type { Engine } from "../engine/engine.ts";
import type { EventRow, TaskRow, WorkerRow } from "../store/rows.ts";
import type { TaskQuery } from "../store/store.ts";
import { bytesOfTexts, readPage } from "./bounded-page.ts";
import { Cancels } from "./cancels.ts";
import { abandoned, invalid, reading } from "./faults.ts";
import { findTask } from "./find-task.ts";
import { viewGraph } from "./graph-view.ts";
import { Outcomes } from "./outcomes.ts";
import { Pipelines } from "./pipelines.ts";
import { checkReason } from "./reason-check.ts";
import { checkRegistration } from "./registration-check.ts";
import { type AttemptRef, Reports } from "./reports.ts";
import { Restarts } from "./restarts.ts";
import { Submissions } from "./submissions.ts";
import { encodeLabels } from "./submit-check.ts";
import { toTaskView, toWorkerView } from "./views.ts";
import { explainWaiting } from "./waiting-for.ts";

const pageRowsDefault = 100;
/** Beside their payloads: what else a page says of an event, of a task, and of a worker. */
const eventBytes = 200;
const taskBytes = 1_000;
const workerBytes = 1_000;

/** The parts of a node's service that all namespaces share. */
interface ServiceParts {
  readonly engine: Engine;
  readonly submissions: Submissions;
  readonly outcomes: Outcomes;
  readonly reports: Reports;
  readonly pipelines: Pipelines;
  readonly restarts: Restarts;
  readonly cancels: Cancels;
}

export function createServiceParts(engine: Engine): ServiceParts {
  return {
    engine,
    submissions: new Submissions(engine),
    outcomes: new Outcomes(engine),
    reports: new Reports(engine),
    pipelines: new Pipelines(engine),
    restarts: new Restarts(engine),
    cancels: new Cancels(engine),
  };
}

/** The protocol's words over the engine, inside one namespace. */
export class EngineService implements Service {
  readonly #namespace: string;
  readonly #parts: ServiceParts;

  constructor(namespace: string, parts: ServiceParts) {
    this.#namespace = namespace;
    this.#parts = parts;
  }

  submit(params: SubmitParams | GraphSubmit): Promise<Submitted> {
    return this.#parts.submissions.submit(this.#namespace, params);
  }

  async run(
    { waitMs, ...params }: (SubmitParams | GraphSubmit) & { waitMs?: number },
    listener?: Listener,
  ): Promise<RunResult> {
    const submitted = await this.submit(params);
    return this.#parts.outcomes.ofSubmitted(submitted, { waitMs, listener });
  }

  async get(ref: TaskRef): Promise<TaskView> {
    const { engine } = this.#parts;
    const row = await findTask(engine, this.#namespace, ref);
    const now = engine.life.clock.now();
    const waitingFor = await reading(() => explainWaiting(engine.store, row, now));
    return { ...toTaskView(row), ...(waitingFor === undefined ? {} : { waitingFor }) };
  }

  async list(params: ListParams, listener?: Listener): Promise<TaskPage> {
    const limit = checkLimit(params.limit);
    const { tasks } = this.#parts.engine.store;
    const query = this.#query(params, limit);
    const { rows, hasMore } = await readPage<TaskRow>({
      limit,
      listener,
      read: ({ last, bytesMax, ...asked }) => {
        const beyond = last === undefined ? {} : { beyond: last.id };
        return tasks.listPart({ ...query, ...asked, ...beyond }, bytesMax);
      },
      bytesOf: bytesOfTask,
    });
    const last = rows.at(-1);
    return { tasks: rows.map(toTaskView), ...(hasMore && last ? { cursor: last.id } : {}) };
  }

  async result(
    { waitMs, ...ref }: TaskRef & { waitMs?: number },
    listener?: Listener,
  ): Promise<RunResult> {
    return this.#parts.outcomes.of(this.#namespace, ref, { waitMs, listener });
  }

  async events(
    params: TaskRef & { after?: number; limit?: number },
    listener?: Listener,
  ): Promise<EventPage> {
    const { engine } = this.#parts;
    const limit = checkLimit(params.limit);
    const { id } = await findTask(engine, this.#namespace, params);
    const { rows, hasMore } = await readPage<EventRow>({
      limit,
      listener,
      read: ({ last, ...asked }) =>
        engine.store.journal.readPart(id, { after: last?.seq ?? params.after ?? 0, ...asked }),
      bytesOf: ({ data }) => bytesOfTexts(data) + eventBytes,
    });
    const next = hasMore ? rows.at(-1)?.seq : undefined;
    return { events: rows.map(toJournalEvent), ...(next === undefined ? {} : { next }) };
  }

  async subscribe(
    params: TaskRef & { after?: number },
    subscriber: Subscriber,
  ): Promise<Subscription> {
    const { engine } = this.#parts;
    const { id } = await findTask(engine, this.#namespace, params);
    let close = (): void => {};
    let isClosed = false;
    // The subscription's id goes out before its first event.
    engine.life.clock.soon(() => {
      if (!isClosed) close = engine.audience.follow(id, params.after ?? 0, subscriber);
    });
    return {
      id: engine.entropy.id(),
      close: () => {
        isClosed = true;
        close();
      },
    };
  }

  cancel(params: TaskRef & { reason?: string }): Promise<CancelResult> {
    return this.#parts.cancels.cancel(this.#namespace, params);
  }

  restart(params: TaskRef & RestartOptions): Promise<Restarted> {
    return this.#parts.restarts.restart(this.#namespace, params);
  }

  async graph(ref: TaskRef): Promise<GraphView> {
    const { engine } = this.#parts;
    const { root } = await findTask(engine, this.#namespace, ref);
    return reading(() => viewGraph(engine.store, root));
  }

  registerPipeline(params: PipelineBody & { name: string }): Promise<PipelineView> {
    return this.#parts.pipelines.register(this.#namespace, params);
  }

  getPipeline(params: { name: string; version?: string }): Promise<PipelineView> {
    return this.#parts.pipelines.get(this.#namespace, params);
  }

  async listPipelines(
    { limit, ...from }: PipelineListParams,
    listener?: Listener,
  ): Promise<PipelinePage> {
    const params = { ...from, limit: checkLimit(limit), listener };
    return this.#parts.pipelines.list(this.#namespace, params);
  }

  async registerWorker(params: RegisterParams, port: WorkerPort): Promise<WorkerLink> {
    checkRegistration(params);
    return reading(() => this.#parts.engine.register(this.#namespace, params, port));
  }

  async heartbeat(params: { worker: string; attempts: readonly string[] }): Promise<Beat> {
    this.#parts.engine.assertUp();
    return this.#parts.engine.life.workers.heartbeat(this.#namespace, params);
  }

  async drainWorker({ worker }: { worker: string }): Promise<Record<string, never>> {
    this.#parts.engine.assertUp();
    await reading(() => this.#parts.engine.life.workers.drain(this.#namespace, worker));
    return {};
  }

  async listWorkers(params: WorkerListParams, listener?: Listener): Promise<WorkerPage> {
    const { workers } = this.#parts.engine.store;
    const from = params.cursor === undefined ? {} : { beyond: checkCursor(params.cursor) };
    const { rows, hasMore } = await readPage<WorkerRow>({
      limit: checkLimit(params.limit),
      listener,
      read: ({ last, ...asked }) => {
        const beyond = last === undefined ? from : { beyond: last.id };
        return workers.listPart(this.#namespace, { ...asked, ...beyond });
      },
      bytesOf: ({ definitions, labels }) => bytesOfTexts(definitions, labels) + workerBytes,
    });
    const running = await reading(() => workers.runningCounts(rows.map(({ id }) => id)));
    const last = rows.at(-1);
    return {
      workers: rows.map((row) => toWorkerView(row, running.get(row.id) ?? 0)),
      ...(hasMore && last ? { cursor: last.id } : {}),
    };
  }

  async complete({ token, output }: { token: string; output?: unknown }): Promise<Recorded> {
    return this.#parts.reports.complete(this.#attempt(token), output);
  }

  async fail({ token, error }: { token: string; error: TaskError }): Promise<Recorded> {
    return this.#parts.reports.fail(this.#attempt(token), error);
  }

  async refuse({ token, reason }: { token: string; reason: string }): Promise<Recorded> {
    return this.#parts.reports.refuse(this.#attempt(token), checkReason(reason));
  }

  async progress(params: { token: string; progress: unknown }): Promise<Record<string, never>> {
    await this.#parts.reports.progress(this.#attempt(params.token), params.progress);
    return {};
  }

  recordStep(params: StepRecord): Promise<Recorded> {
    return this.#parts.reports.recordStep(this.#namespace, params);
  }

  async suspend({ token }: { token: string }): Promise<{ accepted: boolean }> {
    return { accepted: this.#parts.reports.suspend(this.#attempt(token)) };
  }

  async resume({ token }: { token: string }): Promise<Record<string, never>> {
    this.#parts.reports.resume(this.#attempt(token));
    return {};
  }

  #attempt(token: string): AttemptRef {
    return { namespace: this.#namespace, token };
  }

  async doctor(listener?: Listener): Promise<{ findings: readonly Finding[] }> {
    let isWanted = true;
    const stay = listener?.whenGone(() => {
      isWanted = false;
    });
    try {
      const { store } = this.#parts.engine;
      const findings = await reading(() => store.doctor(() => isWanted));
      if (!isWanted) throw abandoned();
      return { findings };
    } finally {
      stay?.();
    }
  }

  #query(params: ListParams, limit: number): TaskQuery {
    const { status, definition, labels, createdAfter, createdBefore } = params;
    const { root, restartRoot, cursor } = params;
    if (labels !== undefined) encodeLabels(labels);
    return {
      namespace: this.#namespace,
      ...(status === undefined ? {} : { status: [status].flat() as TaskQuery["status"] & {} }),
      ...(definition === undefined ? {} : { definition }),
      ...(labels === undefined ? {} : { labels }),
      ...(createdAfter === undefined ? {} : { createdAfter }),
      ...(createdBefore === undefined ? {} : { createdBefore }),
      ...(root === undefined ? {} : { root }),
      ...(restartRoot === undefined ? {} : { restartRoot }),
      order: params.orderBy === "createdAt" ? "ascending" : "descending",
      ...(cursor === undefined ? {} : { beyond: checkCursor(cursor) }),
      limit,
    };
  }
}

function checkLimit(limit: number | undefined): number {
  if (limit === undefined) return pageRowsDefault;
  if (Number.isInteger(limit) && limit >= 1 && limit <= limits.pageRowsMax) return limit;
  throw invalid("limit", `must be an integer from 1 to ${limits.pageRowsMax}`);
}

const cursorPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function checkCursor(cursor: string): string {
  if (cursorPattern.test(cursor)) return cursor;
  throw invalid("cursor", "is not one that a page gave");
}

function bytesOfTask({ key, input, output, error, labels, metadata, progress }: TaskRow): number {
  return taskBytes + bytesOfTexts(key, input, output, error, labels, metadata, progress);
}
