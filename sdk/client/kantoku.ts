import { SpanKind } from "@opentelemetry/api";
import type { CallData } from "../call.ts";
import type { AnyDefinition } from "../definition.ts";
import { KantokuError } from "../errors.ts";
import { checkInputs } from "../graph/plain-input.ts";
import { type Runnable, toCall } from "../graph/value.ts";
import type { GraphView, PipelineView } from "../protocol/graph.ts";
import type {
  ListParams,
  PipelineListParams,
  PipelinePage,
  Service,
  TaskPage,
  WorkerListParams,
  WorkerPage,
} from "../protocol/service.ts";
import type { TaskRef, TaskView, WorkerView } from "../protocol/task.ts";
import { type Submitted, traceSubmission } from "../telemetry/submission-span.ts";
import { liveTracer } from "../telemetry/tracer.ts";
import { type Clock, systemClock } from "../time/clock.ts";
import { newId } from "../values/id.ts";
import { serve, type WorkerHandle, type WorkOptions } from "../worker/serve.ts";
import { type HandleParts, TaskHandle } from "./handle.ts";
import { KnownPipelines } from "./known-pipelines.ts";
import { outcomeOf } from "./outcome.ts";
import {
  type RunOptions,
  type Submission,
  type SubmitOptions,
  toSubmission,
} from "./submission.ts";
import { withKey } from "./uncertain.ts";

/** A client: the same whether kantoku runs in this process or behind a gateway. */
export interface Kantoku {
  /**
   * Submits a call, and with it all calls that it depends on, and awaits its output, however long
   * that takes unless told otherwise. A value to come, such as `call.map(…)`, is run like a call.
   * @throws KantokuError `task-failed`, `task-cancelled`, `task-timed-out`, `task-quarantined`;
   * `invalid-definition` for calls that cannot be one graph; `deadline-exceeded` when `waitMs` ends first (the task goes on)
   * Where an error leaves open whether a task was made, `data.idempotencyKey` is the key it has then.
   * @throws SchemaMismatch for what a pipeline's schema refuses; then nothing was sent
   */
  run<Output>(call: Runnable<Output>, options?: RunOptions): Promise<Output>;
  /** Resolves once the task is durable; what else it throws is as with `run`. */
  submit<Output>(call: Runnable<Output>, options?: SubmitOptions): Promise<TaskHandle<Output>>;
  get(ref: string | TaskRef): Promise<TaskView>;
  list(params?: ListParams): Promise<TaskPage>;
  /** All tasks under the root of this one, and who waits for whom; see `toTreeLines` and `toMermaid`. */
  graph(ref: string | TaskRef): Promise<GraphView>;
  /** The latest version of each registered pipeline. */
  pipelines(): Promise<readonly PipelineView[]>;
  /** A handle on a task known by id; asks nobody whether it exists. */
  handle<Output = unknown>(id: string): TaskHandle<Output>;
  /**
   * Serves definitions as a worker of this process.
   * @throws KantokuError `conflict` while another worker of this client has the name
   */
  work(definitions: readonly AnyDefinition[], options?: WorkOptions): Promise<WorkerHandle>;
  /** All of the namespace, those that have gone or are lost among them, the oldest first. */
  workers(): Promise<readonly WorkerView[]>;
  /** Closes this client's workers, then what it stands on. Tasks go on elsewhere. */
  close(): Promise<void>;
}

export interface ClientOptions {
  readonly onClose?: () => void | Promise<void>;
  /** What workers of this client are known to live and die with; a fresh value for each unless given. */
  readonly instance?: string;
  readonly clock?: Clock;
  readonly random?: () => number;
}

export function createClient(service: Service, options: ClientOptions = {}): Kantoku {
  return new ServiceClient(service, options);
}

class ServiceClient implements Kantoku {
  readonly #service: Service;
  readonly #options: ClientOptions;
  readonly #workers = new Set<WorkerHandle>();
  /** From the call on until the worker has ended. */
  readonly #workerNames = new Set<string>();
  readonly #pipelines: KnownPipelines;
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;

  constructor(service: Service, options: ClientOptions) {
    this.#service = service;
    this.#options = options;
    this.#pipelines = new KnownPipelines(service);
  }

  run<Output>(given: Runnable<Output>, options: RunOptions = {}): Promise<Output> {
    const call = toCall(given);
    const tracer = liveTracer();
    if (tracer === undefined) return this.#run(call, options);
    const { definition } = call;
    return traceSubmission((traced, submitted) => this.#run(call, traced, submitted), {
      tracer,
      name: `kantoku.run ${definition}`,
      kind: SpanKind.PRODUCER,
      definition,
      options,
    });
  }

  submit<Output>(
    given: Runnable<Output>,
    options: SubmitOptions = {},
  ): Promise<TaskHandle<Output>> {
    const call = toCall(given);
    const tracer = liveTracer();
    if (tracer === undefined) return this.#submit(call, options);
    const { definition } = call;
    return traceSubmission((traced, submitted) => this.#submit(call, traced, submitted), {
      tracer,
      name: `kantoku.submit ${definition}`,
      kind: SpanKind.PRODUCER,
      definition,
      options,
    });
  }

  get(ref: string | TaskRef): Promise<TaskView> {
    return this.#service.get(typeof ref === "string" ? { id: ref } : ref);
  }

  list(params: ListParams = {}): Promise<TaskPage> {
    return this.#service.list(params);
  }

  graph(ref: string | TaskRef): Promise<GraphView> {
    return this.#service.graph(typeof ref === "string" ? { id: ref } : ref);
  }

  async pipelines(): Promise<readonly PipelineView[]> {
    const all: PipelineView[] = [];
    for (let params: PipelineListParams | null = {}; params !== null; ) {
      const { pipelines, cursor }: PipelinePage = await this.#service.listPipelines(params);
      all.push(...pipelines);
      params = cursor === undefined ? null : { cursor };
    }
    return all;
  }

  handle<Output = unknown>(id: string): TaskHandle<Output> {
    return this.#handle(id, false);
  }

  async work(
    definitions: readonly AnyDefinition[],
    options: WorkOptions = {},
  ): Promise<WorkerHandle> {
    const { name } = options;
    if (name === undefined) return await this.#serve(definitions, options);
    if (this.#workerNames.has(name)) throw nameTaken(name);
    this.#workerNames.add(name);
    const free = () => this.#workerNames.delete(name);
    try {
      const worker = await this.#serve(definitions, options);
      void worker.ended.then(free);
      return worker;
    } catch (error) {
      free();
      throw error;
    }
  }

  async workers(): Promise<readonly WorkerView[]> {
    const all: WorkerView[] = [];
    for (let params: WorkerListParams | null = {}; params !== null; ) {
      const { workers, cursor }: WorkerPage = await this.#service.listWorkers(params);
      all.push(...workers);
      params = cursor === undefined ? null : { cursor };
    }
    return all;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(Array.from(this.#workers, (worker) => worker.close()));
    await this.#options.onClose?.();
  }

  async #serve(definitions: readonly AnyDefinition[], options: WorkOptions): Promise<WorkerHandle> {
    const { clock, random } = this.#options;
    const worker = await serve(this.#service, definitions, {
      ...options,
      instance: this.#options.instance ?? newId(),
      ...(clock && { clock }),
      ...(random && { random }),
    });
    this.#workers.add(worker);
    void worker.ended.then(() => this.#workers.delete(worker));
    return worker;
  }

  #run<Output>(
    call: CallData<Output>,
    options: RunOptions,
    submitted?: Submitted,
  ): Promise<Output> {
    const { waitMs, signal } = options;
    const first = this.#send(call, options, (params) =>
      this.#service.run(waitMs === undefined ? params : { ...params, waitMs }),
    );
    if (submitted !== undefined)
      first.then(
        ({ id }) => submitted(id),
        () => {},
      );
    return outcomeOf<Output>(first, { ...this.#parts(), waitMs, signal });
  }

  async #submit<Output>(
    call: CallData<Output>,
    options: SubmitOptions,
    submitted?: Submitted,
  ): Promise<TaskHandle<Output>> {
    const { id, created } = await this.#send(call, options, (params) =>
      this.#service.submit(params),
    );
    submitted?.(id);
    return this.#handle(id, created);
  }

  // At once where there is nothing to register: this is on the path of every task.
  #send<Answer>(
    call: CallData,
    options: SubmitOptions,
    send: (params: Submission["params"]) => Promise<Answer>,
  ): Promise<Answer> {
    try {
      const { params, pipelines, inputs } = toSubmission(call, options);
      const sent = () =>
        send(params).catch((thrown) => {
          throw withKey(thrown, params.idempotencyKey);
        });
      if (pipelines.length === 0) return sent();
      return checkInputs(inputs)
        .then(() => this.#pipelines.ensure(pipelines))
        .then(sent);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #handle<Output>(id: string, created: boolean): TaskHandle<Output> {
    return new TaskHandle({ id, created }, this.#parts());
  }

  #parts(): HandleParts {
    const { clock = systemClock, random = Math.random } = this.#options;
    return { service: this.#service, clock, random, closing: this.#closing.signal };
  }
}

// Two processes with one name are an old and a new life of one worker; two of one client never are.
function nameTaken(name: string): KantokuError {
  return new KantokuError(
    "conflict",
    `this client has a worker named ${JSON.stringify(name)} already, and the two would end each other; close it first, or give this one another name`,
  );
}
