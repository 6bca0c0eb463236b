import type { LogLine } from "../../sdk/context.ts";
import type { AnyDefinition } from "../../sdk/definition.ts";
import type {
  Assignment,
  Recorded,
  RegisterParams,
  Service,
  StepRecord,
  WorkerPort,
} from "../../sdk/protocol/service.ts";
import type { TaskError } from "../../sdk/protocol/task.ts";
import { type ServeOptions, serve, type WorkerHandle } from "../../sdk/worker/serve.ts";
import { ManualClock } from "./manual-clock.ts";

type Report =
  | { readonly kind: "complete"; readonly token: string; readonly output?: unknown }
  | { readonly kind: "fail"; readonly token: string; readonly error: TaskError }
  | { readonly kind: "refuse"; readonly token: string; readonly reason: string };

const recorded: Recorded = { answer: "recorded" };

/** A worker before a service that records what it is told; a test replaces any answer. */
export class WorkerBench {
  readonly clock = new ManualClock();
  readonly registrations: RegisterParams[] = [];
  readonly beats: (readonly string[])[] = [];
  readonly reports: Report[] = [];
  readonly steps: StepRecord[] = [];
  readonly progress: unknown[] = [];
  readonly log: LogLine[] = [];
  drains = 0;
  detachments = 0;
  readonly answers: {
    registerWorker: () => { drop?: readonly string[] };
    heartbeat: () => { drop: readonly string[] };
    complete: () => Recorded;
    fail: () => Recorded;
    recordStep: () => Recorded;
    progress: () => Promise<unknown>;
    events: Service["events"];
    submit: Service["submit"];
    result: Service["result"];
    registerPipeline: Service["registerPipeline"];
    suspend: Service["suspend"];
  } = {
    registerWorker: () => ({}),
    heartbeat: () => ({ drop: [] }),
    complete: () => recorded,
    fail: () => recorded,
    recordStep: () => recorded,
    progress: async () => undefined,
    events: async () => ({ events: [] }),
    submit: async () => ({ id: "child", status: "ready", created: true }),
    result: async () => ({ id: "child", status: "succeeded" }),
    registerPipeline: () => Promise.reject(new Error("nobody expects a pipeline")),
    suspend: async () => ({ accepted: true }),
  };
  #port: WorkerPort | undefined;
  #assigned = 0;

  get port(): WorkerPort {
    if (!this.#port) throw new Error("no worker has registered");
    return this.#port;
  }

  serve(definitions: readonly AnyDefinition[], options: ServeOptions = {}): Promise<WorkerHandle> {
    const log = (line: LogLine) => void this.log.push(line);
    const parts = { clock: this.clock, random: () => 0.5, instance: "i1", log };
    return serve(this.#service() as Service, definitions, { ...parts, ...options });
  }

  assign(definition: string, facts: Partial<Assignment> = {}): Assignment {
    const token = `token-${++this.#assigned}`;
    const assignment = {
      task: `task-${this.#assigned}`,
      attempt: 1,
      token,
      definition,
      version: "",
      input: null,
      idempotencyKey: `key-${this.#assigned}`,
      journal: [],
      root: `task-${this.#assigned}`,
      labels: {},
      metadata: {},
      ...facts,
    };
    this.port.assign(assignment);
    return assignment;
  }

  #service(): Partial<Service> {
    const answer = this.answers;
    return {
      registerWorker: async (params, port) => {
        this.registrations.push(params);
        this.#port = port;
        const { drop = [] } = answer.registerWorker();
        const worker = params.worker ?? `worker-${this.registrations.length}`;
        return {
          registered: { worker, leaseMs: 10_000, heartbeatMs: 3_000, keep: [], drop },
          detach: () => {
            this.detachments += 1;
          },
        };
      },
      heartbeat: async ({ attempts }) => {
        this.beats.push(attempts);
        return { keep: attempts, ...answer.heartbeat() };
      },
      drainWorker: async () => {
        this.drains += 1;
        return {};
      },
      complete: async (params) => {
        this.reports.push({ kind: "complete", ...params });
        return answer.complete();
      },
      fail: async (params) => {
        this.reports.push({ kind: "fail", ...params });
        return answer.fail();
      },
      refuse: async (params) => {
        this.reports.push({ kind: "refuse", ...params });
        return recorded;
      },
      progress: async ({ progress }) => {
        this.progress.push(progress);
        await answer.progress();
        return {};
      },
      recordStep: async (params) => {
        this.steps.push(params);
        return answer.recordStep();
      },
      events: (params) => answer.events(params),
      submit: (params) => answer.submit(params),
      result: (params) => answer.result(params),
      registerPipeline: (params) => answer.registerPipeline(params),
      suspend: (params) => answer.suspend(params),
      resume: async () => ({}),
    };
  }
}
