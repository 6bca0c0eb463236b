import { KantokuError } from "../../sdk/errors.ts";
import type { PipelineView } from "../../sdk/protocol/graph.ts";
import type {
  GraphSubmit,
  RegisterParams,
  RunResult,
  Service,
  SubmitParams,
  Submitted,
  Subscriber,
  WorkerPort,
} from "../../sdk/protocol/service.ts";
import {
  isEnded,
  type JournalEvent,
  type TaskError,
  type TaskRef,
  type TaskStatus,
  type TaskView,
} from "../../sdk/protocol/task.ts";

interface FakeTask {
  readonly id: string;
  readonly params: SubmitParams | GraphSubmit;
  readonly journal: JournalEvent[];
  readonly subscribers: Set<Subscriber>;
  readonly ended: PromiseWithResolvers<void>;
  status: TaskStatus;
  output?: unknown;
  error?: TaskError;
}

interface FakeWorker {
  readonly id: string;
  readonly params: RegisterParams;
  readonly port: WorkerPort;
  isDetached: boolean;
}

/**
 * A service in memory that is just true enough to put a gateway in front of: tasks, journals, live
 * subscriptions, workers that get what they serve at once. Any method can be replaced.
 */
export class FakeService {
  readonly tasks = new Map<string, FakeTask>();
  readonly workers = new Map<string, FakeWorker>();
  readonly pipelines = new Map<string, PipelineView>();
  readonly service: Service;
  readonly #byKey = new Map<string, FakeTask>();
  readonly #byToken = new Map<string, FakeTask>();

  constructor(replaced: Partial<Service> = {}) {
    this.service = { ...this.#createService(), ...replaced };
  }

  append(id: string, type: string, data: Record<string, unknown> = {}): void {
    const task = this.find({ id });
    const event = { seq: task.journal.length + 1, type, at: 1_700_000_000_000, data };
    task.journal.push(event);
    for (const subscriber of task.subscribers) subscriber.event({ ...event, task: id });
  }

  progress(id: string, progress: unknown): void {
    for (const subscriber of this.find({ id }).subscribers) {
      subscriber.progress({ task: id, progress });
    }
  }

  end(id: string, status: TaskStatus, outcome: { output?: unknown; error?: TaskError } = {}): void {
    const task = this.find({ id });
    task.status = status;
    Object.assign(task, outcome);
    this.append(id, `task.${status}`);
    for (const subscriber of task.subscribers) subscriber.end("ended");
    task.subscribers.clear();
    task.ended.resolve();
  }

  find(ref: TaskRef): FakeTask {
    const task = "id" in ref ? this.tasks.get(ref.id) : this.#byKey.get(ref.key);
    if (task === undefined) throw new KantokuError("not-found", "No such task");
    return task;
  }

  #submit(params: SubmitParams | GraphSubmit): Submitted {
    const { idempotencyKey } = params;
    const known = idempotencyKey === undefined ? undefined : this.#byKey.get(idempotencyKey);
    if (known !== undefined) {
      if (JSON.stringify(known.params.input) !== JSON.stringify(params.input)) {
        const data = { task: known.id };
        throw new KantokuError("conflict", "The key made another task", { data });
      }
      return { id: known.id, status: known.status, created: false };
    }
    const task = this.#create(params);
    if (idempotencyKey !== undefined) this.#byKey.set(idempotencyKey, task);
    this.#assign(task);
    return { id: task.id, status: task.status, created: true };
  }

  #create(params: SubmitParams | GraphSubmit): FakeTask {
    const task: FakeTask = {
      id: `task-${this.tasks.size + 1}`,
      params,
      journal: [],
      subscribers: new Set(),
      ended: Promise.withResolvers(),
      status: "ready",
    };
    this.tasks.set(task.id, task);
    this.append(task.id, "task.submitted", { definition: definitionOf(params) });
    return task;
  }

  #assign(task: FakeTask): void {
    const { input } = task.params;
    const definition = definitionOf(task.params);
    const worker = [...this.workers.values()].find(
      ({ isDetached, params }) =>
        !isDetached && params.definitions.some(({ name }) => name === definition),
    );
    if (worker === undefined) return;
    const token = `${task.id}.1`;
    this.#byToken.set(token, task);
    task.status = "running";
    this.append(task.id, "attempt.assigned", { worker: worker.id });
    worker.port.assign({
      task: task.id,
      attempt: 1,
      token,
      definition,
      version: "1",
      input,
      idempotencyKey: task.id,
      journal: [],
      root: task.id,
      labels: {},
      metadata: {},
    });
  }

  #settle(token: string, status: TaskStatus, outcome: { output?: unknown; error?: TaskError }) {
    const task = this.#byToken.get(token);
    if (task === undefined) throw new KantokuError("not-found", "No such attempt");
    if (isEnded(task.status)) return { answer: "late" as const };
    this.end(task.id, status, outcome);
    return { answer: "recorded" as const };
  }

  async #result(task: FakeTask, waitMs: number | undefined): Promise<RunResult> {
    if (waitMs !== 0) await task.ended.promise;
    if (!isEnded(task.status)) return { id: task.id, status: task.status };
    if (task.status === "succeeded") {
      return { id: task.id, status: task.status, output: task.output };
    }
    const data = { task: task.id, error: task.error };
    throw new KantokuError("task-failed", "The task failed", { data });
  }

  #view({ id, params, status, journal, output, error }: FakeTask): TaskView {
    return {
      id,
      definition: definitionOf(params),
      version: "1",
      status,
      input: params.input,
      ...(output !== undefined && { output }),
      ...(error !== undefined && { error }),
      attempt: 1,
      priority: 10,
      createdAt: 1_700_000_000_000,
      root: id,
      labels: params.labels ?? {},
      metadata: params.metadata ?? {},
      seq: journal.length,
    };
  }

  #createService(): Service {
    return {
      submit: async (params) => this.#submit(params),
      run: async ({ waitMs, ...params }) =>
        this.#result(this.find({ id: this.#submit(params).id }), waitMs),
      get: async (ref) => this.#view(this.find(ref)),
      list: async () => ({ tasks: [...this.tasks.values()].map((task) => this.#view(task)) }),
      result: async ({ waitMs, ...ref }) => this.#result(this.find(ref), waitMs),
      events: async ({ after = 0, limit = 1000, ...ref }) => ({
        events: this.find(ref).journal.slice(after, after + limit),
      }),
      subscribe: async ({ after = 0, ...ref }, subscriber) => {
        const task = this.find(ref);
        for (const event of task.journal.slice(after)) {
          subscriber.event({ ...event, task: task.id });
        }
        if (isEnded(task.status)) subscriber.end("ended");
        else task.subscribers.add(subscriber);
        const id = `subscription-${crypto.randomUUID()}`;
        return { id, close: () => void task.subscribers.delete(subscriber) };
      },
      cancel: async ({ ...ref }) => {
        const task = this.find(ref);
        const accepted = !isEnded(task.status);
        if (accepted) this.end(task.id, "cancelled");
        return { status: task.status, accepted };
      },
      restart: async ({ mode, from, ...ref }) => {
        const task = this.find(ref);
        if (!isEnded(task.status)) throw new KantokuError("conflict", "It has not ended");
        task.status = "ready";
        this.append(task.id, "task.restarted", { to: "ready" });
        return { id: task.id, restarted: 1 };
      },
      graph: async (ref) => {
        const task = this.find(ref);
        const { id, status } = task;
        const name = definitionOf(task.params);
        return {
          root: id,
          tasks: [{ id, name, kind: "task", definition: name, status }],
          edges: [],
        };
      },
      registerPipeline: async (params) => {
        const pipeline = { ...params, version: "1", registeredAt: 1_700_000_000_000 };
        this.pipelines.set(params.name, pipeline);
        return pipeline;
      },
      getPipeline: async ({ name }) => {
        const pipeline = this.pipelines.get(name);
        if (pipeline === undefined) throw new KantokuError("not-found", "No such pipeline");
        return pipeline;
      },
      listPipelines: async () => ({ pipelines: [...this.pipelines.values()] }),
      registerWorker: async (params, port) => {
        const worker = {
          id: params.worker ?? `worker-${this.workers.size + 1}`,
          params,
          port,
          isDetached: false,
        };
        this.workers.get(worker.id)?.port.superseded();
        this.workers.set(worker.id, worker);
        for (const task of this.tasks.values()) if (task.status === "ready") this.#assign(task);
        return {
          registered: {
            worker: worker.id,
            leaseMs: 10_000,
            heartbeatMs: 3_000,
            keep: params.attempts ?? [],
            drop: [],
          },
          detach: () => {
            worker.isDetached = true;
          },
        };
      },
      heartbeat: async ({ attempts }) => ({ keep: attempts, drop: [] }),
      drainWorker: async () => ({}),
      listWorkers: async () => ({ workers: [] }),
      complete: async ({ token, output }) => this.#settle(token, "succeeded", { output }),
      fail: async ({ token, error }) => this.#settle(token, "failed", { error }),
      refuse: async ({ token }) => this.#settle(token, "ready", {}),
      progress: async ({ token, progress }) => {
        const task = this.#byToken.get(token);
        if (task !== undefined) this.progress(task.id, progress);
        return {};
      },
      recordStep: async ({ token }) => {
        if (!this.#byToken.has(token)) throw new KantokuError("not-found", "No such attempt");
        return { answer: "recorded" };
      },
      suspend: async () => ({ accepted: true }),
      resume: async () => ({}),
      doctor: async () => ({ findings: [] }),
    };
  }
}

function definitionOf(params: SubmitParams | GraphSubmit): string {
  return "graph" in params ? "pipeline" : params.definition;
}
