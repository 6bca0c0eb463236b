import type { GraphView, PipelineBody, PipelineView } from "../protocol/graph.ts";
import { limits } from "../protocol/limits.ts";
import type {
  Beat,
  CancelResult,
  EventPage,
  Finding,
  GraphSubmit,
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
} from "../protocol/service.ts";
import { isEnded, type TaskError, type TaskRef, type TaskView } from "../protocol/task.ts";
import { encodePayload } from "../values/payload.ts";
import type { Connection, ConnectionParts, ConnectionUser, Loss } from "./connection.ts";
import { RemoteSubscriptions } from "./remote-subscriptions.ts";
import { RemoteWorkers } from "./remote-workers.ts";

type None = Record<string, never>;

// Long enough to be rare, short enough that an answer lost without a trace is asked for again.
const waitMsDefault = 60_000;
// Among many, so that those who queue behind have their turn.
const waitMsCrowded = 2_000;

/** The service behind a gateway, in the protocol's words. */
export class RemoteService implements Service, ConnectionUser {
  readonly #connection: Connection;
  readonly #subscriptions: RemoteSubscriptions;
  readonly #workers: RemoteWorkers;

  constructor(connection: Connection, parts: Pick<ConnectionParts, "clock" | "random">) {
    this.#connection = connection;
    this.#subscriptions = new RemoteSubscriptions({ connection, ...parts });
    this.#workers = new RemoteWorkers({ connection, ...parts });
    connection.user = this;
  }

  async submit(params: SubmitParams | GraphSubmit): Promise<Submitted> {
    checkInput(params);
    return await this.#connection.call("task.submit", params);
  }

  /** What is run is durable as soon as what is submitted: it never queues behind others' waits. */
  async run(
    params: (SubmitParams | GraphSubmit) & { readonly waitMs?: number },
  ): Promise<RunResult> {
    if (!this.#connection.hasRoomToWait) return await this.#submitFirst(params);
    checkInput(params);
    const bounded = { ...params, waitMs: this.#boundWait(params.waitMs) };
    return await this.#connection.call("task.run", bounded, { isWaiting: true });
  }

  get(ref: TaskRef): Promise<TaskView> {
    return this.#connection.call("task.get", ref);
  }

  list(params: ListParams): Promise<TaskPage> {
    return this.#connection.call("task.list", params);
  }

  result(params: TaskRef & { readonly waitMs?: number }): Promise<RunResult> {
    const bounded = { ...params, waitMs: this.#boundWait(params.waitMs) };
    return this.#connection.call("task.result", bounded, { isWaiting: true });
  }

  events(
    params: TaskRef & { readonly after?: number; readonly limit?: number },
  ): Promise<EventPage> {
    return this.#connection.call("task.events", params);
  }

  subscribe(
    params: TaskRef & { readonly after?: number },
    subscriber: Subscriber,
  ): Promise<Subscription> {
    return this.#subscriptions.subscribe(params, subscriber);
  }

  cancel(params: TaskRef & { readonly reason?: string }): Promise<CancelResult> {
    return this.#connection.call("task.cancel", params);
  }

  restart(params: TaskRef & RestartOptions): Promise<Restarted> {
    return this.#connection.call("task.restart", params);
  }

  graph(ref: TaskRef): Promise<GraphView> {
    return this.#connection.call("task.graph", ref);
  }

  async registerPipeline(params: PipelineBody & { readonly name: string }): Promise<PipelineView> {
    encodePayload(params, { at: "pipeline", bytesMax: limits.frameToServerBytesMax });
    return await this.#connection.call("pipeline.register", params);
  }

  getPipeline(params: { readonly name: string; readonly version?: string }): Promise<PipelineView> {
    return this.#connection.call("pipeline.get", params);
  }

  listPipelines(params: PipelineListParams): Promise<PipelinePage> {
    return this.#connection.call("pipeline.list", { ...params });
  }

  registerWorker(params: RegisterParams, port: WorkerPort): Promise<WorkerLink> {
    return this.#workers.register(params, port);
  }

  heartbeat(params: {
    readonly worker: string;
    readonly attempts: readonly string[];
  }): Promise<Beat> {
    return this.#connection.call("worker.heartbeat", params);
  }

  drainWorker(params: { readonly worker: string }): Promise<None> {
    return this.#connection.call("worker.drain", params);
  }

  listWorkers(params: WorkerListParams): Promise<WorkerPage> {
    return this.#connection.call("worker.list", { ...params });
  }

  complete(params: { readonly token: string; readonly output?: unknown }): Promise<Recorded> {
    return this.#connection.call("attempt.complete", params);
  }

  fail(params: { readonly token: string; readonly error: TaskError }): Promise<Recorded> {
    return this.#connection.call("attempt.fail", params);
  }

  refuse(params: { readonly token: string; readonly reason: string }): Promise<Recorded> {
    return this.#connection.call("attempt.refuse", params);
  }

  progress(params: { readonly token: string; readonly progress: unknown }): Promise<None> {
    return this.#connection.call("attempt.progress", params);
  }

  recordStep(params: StepRecord): Promise<Recorded> {
    return this.#connection.call("step.record", params);
  }

  suspend(params: { readonly token: string }): Promise<{ readonly accepted: boolean }> {
    return this.#connection.call("attempt.suspend", params);
  }

  resume(params: { readonly token: string }): Promise<None> {
    return this.#connection.call("attempt.resume", params);
  }

  doctor(): Promise<{ readonly findings: readonly Finding[] }> {
    return this.#connection.call("system.doctor", {});
  }

  opened(): void {
    this.#workers.registerAllAgain();
    this.#subscriptions.reopenAll();
  }

  lost(loss: Loss): void {
    this.#workers.lost(loss);
  }

  notified(method: string, params: Readonly<Record<string, unknown>>): void {
    switch (method) {
      case "task.event":
        this.#subscriptions.event(params);
        return;
      case "task.progress":
        this.#subscriptions.progress(params);
        return;
      case "subscription.end":
        this.#subscriptions.end(params);
        return;
      case "attempt.assign":
        this.#workers.assign(params);
        return;
      case "attempt.cancel":
        this.#workers.cancel(params);
        return;
      case "worker.superseded":
        this.#workers.superseded(params);
        return;
      // A newer server may say more than this client knows.
      default:
    }
  }

  superseded(): void {
    this.#workers.supersedeAll();
  }

  closed(): void {
    this.#subscriptions.closeAll();
    this.#workers.closeAll();
  }

  async #submitFirst({
    waitMs,
    ...params
  }: (SubmitParams | GraphSubmit) & { readonly waitMs?: number }): Promise<RunResult> {
    const { id, status } = await this.submit(params);
    if (!isEnded(status)) return { id, status };
    // A known key: its output was there before.
    return await this.result(waitMs === undefined ? { id } : { id, waitMs });
  }

  #boundWait(waitMs = waitMsDefault): number {
    const longestMs = this.#connection.isCrowded ? waitMsCrowded : limits.waitMsMax;
    return Math.min(Math.max(0, Math.ceil(waitMs)), longestMs);
  }
}

// JSON.stringify would change what it cannot write; the worker's side has checked its own values.
function checkInput(params: SubmitParams | GraphSubmit): void {
  const { input, metadata } = params;
  if (input !== undefined) encodePayload(input, { at: "input" });
  if (metadata) encodePayload(metadata, { at: "metadata", bytesMax: limits.attributesBytesMax });
  if (!("graph" in params)) return;
  encodePayload(params.graph, { at: "graph", bytesMax: limits.frameToServerBytesMax });
}
