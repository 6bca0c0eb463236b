import type { Graph, GraphView, PipelineBody, PipelineView } from "./graph.ts";
import type {
  JournalEvent,
  RetryPolicy,
  TaskError,
  TaskRef,
  TaskStatus,
  TaskView,
  WorkerView,
} from "./task.ts";

export interface SubmitParams {
  readonly definition: string;
  readonly version?: string;
  readonly input?: unknown;
  /** Unique in its namespace: the same key and the same body are the same task. */
  readonly idempotencyKey?: string;
  /** Smaller is first; 10 unless given. */
  readonly priority?: number;
  /** Epoch milliseconds; not before this. */
  readonly startAt?: number;
  /** From the first assignment to the end, all attempts and backoffs included. */
  readonly timeoutMs?: number;
  readonly attemptTimeoutMs?: number;
  readonly retry?: RetryPolicy;
  readonly labels?: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** W3C traceparent of the caller's span. */
  readonly trace?: string;
  /** Instead of a key: the task is a child of the one whose attempt submits it. */
  readonly parent?: ChildOf;
}

/** A child of a running task: the same place is the same child, whichever attempt asks. */
export interface ChildOf {
  /** Of the attempt that submits. */
  readonly token: string;
  /** Unique among the parent's children: `definition#occurrence`, by the SDK. */
  readonly name: string;
}

/** Many tasks at once: all of them or none. Their root is a task of its own. */
export interface GraphSubmit
  extends Pick<
    SubmitParams,
    | "idempotencyKey"
    | "priority"
    | "startAt"
    | "labels"
    | "metadata"
    | "timeoutMs"
    | "trace"
    | "parent"
  > {
  readonly graph: Graph;
  /** What the graph's sources call its input. */
  readonly input?: unknown;
}

export interface Submitted {
  readonly id: string;
  readonly status: TaskStatus;
  /** `false`: the key was known, and this is the task it made then. */
  readonly created: boolean;
  /** Of a graph that begins at once: the ids of its tasks, by name. */
  readonly tasks?: Readonly<Record<string, string>>;
}

/**
 * An ended task's outcome, or, when the wait ended first, its status without `output`. A wait may
 * end before `waitMs`, where many wait or the store is away: then ask for the result.
 */
export interface RunResult {
  readonly id: string;
  readonly status: TaskStatus;
  readonly output?: unknown;
}

export interface ListParams {
  readonly status?: TaskStatus | readonly TaskStatus[];
  readonly definition?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly createdAfter?: number;
  readonly createdBefore?: number;
  readonly root?: string;
  /** A root, and all that did it again. */
  readonly restartRoot?: string;
  readonly orderBy?: "createdAt" | "-createdAt";
  readonly limit?: number;
  readonly cursor?: string;
}

export interface TaskPage {
  readonly tasks: readonly TaskView[];
  readonly cursor?: string;
}

export interface EventPage {
  readonly events: readonly JournalEvent[];
  /** The `after` of the next page; absent at the end. */
  readonly next?: number;
}

export interface CancelResult {
  readonly status: TaskStatus;
  /** `false`: it had ended before. `true`: the wish is durable; the outcome is in the status. */
  readonly accepted: boolean;
}

export interface RestartOptions {
  /**
   * `inPlace`, unless given: the task and what failed or was skipped because of it go on, and
   * finished work is kept. `newTree`: a new root does it all again, or, with `from`, what follows.
   */
  readonly mode?: "inPlace" | "newTree";
  /** Id of a task of the tree, for `newTree`: it, what had not succeeded and what depends on those run again. */
  readonly from?: string;
}

export interface Restarted {
  /** Of the task, or of the root of the new tree. */
  readonly id: string;
  /** How many tasks go on, or are made again. */
  readonly restarted: number;
}

/** Where a subscription's messages go. Must not throw and must not block. */
export interface Subscriber {
  event(event: JournalEvent & { readonly task: string }): void;
  progress(progress: { readonly task: string; readonly progress: unknown }): void;
  /** Last message. `ended`: the task's last event was delivered. */
  end(reason: "ended" | "deleted" | "shutdown"): void;
}

export interface Subscription {
  readonly id: string;
  close(): void;
}

export interface ServedDefinition {
  readonly name: string;
  readonly version?: string;
  readonly retry?: RetryPolicy;
  readonly timeoutMs?: number;
  readonly attemptTimeoutMs?: number;
  /** JSON Schema, kept for readers. */
  readonly inputSchema?: unknown;
}

export interface RegisterParams {
  /** Identity over restarts: the same name with another instance replaces the process before it. */
  readonly name?: string;
  /** Names this process's life; a fresh random value at each start. */
  readonly instance: string;
  /** The id of an earlier registration of this instance. */
  readonly worker?: string;
  readonly definitions: readonly ServedDefinition[];
  readonly slots: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** Tokens of the attempts that this process holds. */
  readonly attempts?: readonly string[];
}

export interface Registered {
  readonly worker: string;
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly keep: readonly string[];
  readonly drop: readonly string[];
}

export interface Beat {
  readonly keep: readonly string[];
  readonly drop: readonly string[];
}

export interface Assignment {
  readonly task: string;
  readonly attempt: number;
  readonly token: string;
  readonly definition: string;
  readonly version: string;
  readonly input: unknown;
  /** Stable over all attempts of the task. */
  readonly idempotencyKey: string;
  /** `step.recorded` events of earlier attempts, in order. */
  readonly journal: readonly JournalEvent[];
  /** Present when the journal did not fit: read on with task.events after this seq. */
  readonly journalNext?: number;
  /** By the database's clock, which need not be the worker's. */
  readonly deadlineAt?: number;
  /** What was left until then when the assignment was sent. */
  readonly deadlineInMs?: number;
  readonly root: string;
  readonly parent?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly trace?: string;
  /** On the wire: whom it is for, because one connection may carry several workers. */
  readonly worker?: string;
}

export interface AttemptCancellation {
  readonly token: string;
  readonly reason: string;
  readonly graceMs: number;
}

/** The way from the runtime to one worker's process. Must not throw and must not block. */
export interface WorkerPort {
  assign(assignment: Assignment): void;
  cancel(cancellation: AttemptCancellation): void;
  /** Another process registered under this worker's name; nothing more comes through this port. */
  superseded(): void;
  /**
   * The registration is over, and nobody took the worker's place: it was lost, has gone, or serves
   * elsewhere. A process that lives hears not-found at its next heartbeat, and registers anew.
   */
  forgotten?(): void;
  /** The tokens that the process holds now: asked by a link that registers again after a lost connection. */
  held?(): readonly string[];
  /** The link has lost its connection, and looks for another, to register again. */
  connectionLost?(loss: { readonly url: string; readonly reason?: string }): void;
  /** The link registered again; `registered` replaces the earlier one. */
  registeredAgain?(registered: Registered): void;
}

export interface StepRecord {
  readonly token: string;
  readonly step: string;
  /** 1 for the first use of the name in the task's function, 2 for the second … */
  readonly occurrence: number;
  readonly output?: unknown;
  readonly error?: TaskError;
}

/** `recorded`, also for a repeat of what was recorded; `late`: the attempt had ended otherwise, nothing changed. */
export interface Recorded {
  readonly answer: "recorded" | "late";
}

/** One registered worker, held by the process or session that registered it. */
export interface WorkerLink {
  readonly registered: Registered;
  /** The process is out of reach (socket closed): starts the grace after which it counts as lost. */
  detach(): void;
}

export interface PipelineListParams {
  /** 1 to 1000; 100 unless given. A page ends earlier where its pipelines are large. */
  readonly limit?: number;
  /** Of the page before. */
  readonly cursor?: string;
}

export interface PipelinePage {
  readonly pipelines: readonly PipelineView[];
  /** Absent: the last page. */
  readonly cursor?: string;
}

export interface WorkerListParams {
  /** 1 to 1000; 100 unless given. A page ends earlier where its workers serve many definitions. */
  readonly limit?: number;
  /** Of the page before. */
  readonly cursor?: string;
}

export interface WorkerPage {
  readonly workers: readonly WorkerView[];
  /** Absent: the last page. */
  readonly cursor?: string;
}

/** Whoever waits for an answer. */
export interface Listener {
  /** Does it once nobody wants the answer any more; the function returned prevents it. */
  whenGone(act: () => void): () => void;
}

/**
 * What kantoku offers, in the words of the protocol. The runtime implements it in process, the
 * remote client implements it over JSON-RPC; everything above (client, worker, gateway, command
 * line) knows this interface only. Every method rejects with a KantokuError.
 */
export interface Service {
  submit(params: SubmitParams | GraphSubmit): Promise<Submitted>;
  /** What was submitted goes on when its listener has gone; only the wait ends. */
  run(
    params: (SubmitParams | GraphSubmit) & { readonly waitMs?: number },
    listener?: Listener,
  ): Promise<RunResult>;
  get(ref: TaskRef): Promise<TaskView>;
  list(params: ListParams, listener?: Listener): Promise<TaskPage>;
  result(params: TaskRef & { readonly waitMs?: number }, listener?: Listener): Promise<RunResult>;
  events(
    params: TaskRef & { readonly after?: number; readonly limit?: number },
    listener?: Listener,
  ): Promise<EventPage>;
  subscribe(
    params: TaskRef & { readonly after?: number },
    subscriber: Subscriber,
  ): Promise<Subscription>;
  cancel(params: TaskRef & { readonly reason?: string }): Promise<CancelResult>;

  /** `conflict`: it has not ended, or has succeeded, or somebody else has restarted it first. */
  restart(params: TaskRef & RestartOptions): Promise<Restarted>;
  /** The tree that the task is in, as tasks and edges. */
  graph(ref: TaskRef): Promise<GraphView>;
  /** Makes a pipeline known by its name. The same body is the same version. */
  registerPipeline(params: PipelineBody & { readonly name: string }): Promise<PipelineView>;
  getPipeline(params: { readonly name: string; readonly version?: string }): Promise<PipelineView>;
  listPipelines(params: PipelineListParams, listener?: Listener): Promise<PipelinePage>;

  registerWorker(params: RegisterParams, port: WorkerPort): Promise<WorkerLink>;
  heartbeat(params: {
    readonly worker: string;
    readonly attempts: readonly string[];
  }): Promise<Beat>;
  drainWorker(params: { readonly worker: string }): Promise<Record<string, never>>;
  listWorkers(params: WorkerListParams, listener?: Listener): Promise<WorkerPage>;

  complete(params: { readonly token: string; readonly output?: unknown }): Promise<Recorded>;
  fail(params: { readonly token: string; readonly error: TaskError }): Promise<Recorded>;
  refuse(params: { readonly token: string; readonly reason: string }): Promise<Recorded>;
  progress(params: {
    readonly token: string;
    readonly progress: unknown;
  }): Promise<Record<string, never>>;
  recordStep(params: StepRecord): Promise<Recorded>;
  /**
   * The attempt waits for other tasks and needs no slot meanwhile; `accepted: false`: it keeps its
   * slot, for too many of its worker's attempts wait already, or it is over.
   */
  suspend(params: { readonly token: string }): Promise<{ readonly accepted: boolean }>;
  /** The attempt goes on, with or without a free slot. */
  resume(params: { readonly token: string }): Promise<Record<string, never>>;

  /** The invariants, checked in the database; each finding is a broken one. */
  doctor(listener?: Listener): Promise<{ readonly findings: readonly Finding[] }>;
}

export interface Finding {
  readonly invariant: string;
  readonly count: number;
  readonly examples: readonly string[];
}
