import type {
  Assignment,
  AttemptCancellation,
  Beat,
  Recorded,
  RegisterParams,
  Service,
  WorkerLink,
  WorkerPort,
} from "../../sdk/protocol/service.ts";
import type { TaskError } from "../../sdk/protocol/task.ts";

/** A worker that does only what its test says, and remembers what it was told. */
export class ScriptedWorker implements WorkerPort {
  readonly assignments: Assignment[] = [];
  readonly cancellations: AttemptCancellation[] = [];
  /** Attempts that it was given and has not reported. */
  readonly running = new Map<string, Assignment>();
  isSuperseded = false;
  isForgotten = false;
  mostRunning = 0;
  #service: Service;
  #link: WorkerLink | undefined;

  private constructor(service: Service) {
    this.#service = service;
  }

  static async register(
    service: Service,
    params: Partial<RegisterParams> = {},
  ): Promise<ScriptedWorker> {
    const worker = new ScriptedWorker(service);
    await worker.registerOn(service, params);
    return worker;
  }

  /** Registers on this or another node; lists what it holds unless told otherwise. */
  async registerOn(service: Service, params: Partial<RegisterParams> = {}): Promise<WorkerLink> {
    this.#service = service;
    this.#link = await service.registerWorker(
      {
        instance: "instance-1",
        definitions: [{ name: "job" }],
        slots: 1,
        attempts: [...this.running.keys()],
        ...params,
      },
      this,
    );
    return this.#link;
  }

  get link(): WorkerLink {
    if (this.#link === undefined) throw new Error("the worker has not registered");
    return this.#link;
  }

  get id(): string {
    return this.link.registered.worker;
  }

  /** The assignment that came last. */
  get last(): Assignment {
    const last = this.assignments.at(-1);
    if (last === undefined) throw new Error("nothing was assigned to the worker");
    return last;
  }

  /** Inputs of all assignments, in order. */
  get inputs(): readonly unknown[] {
    return this.assignments.map(({ input }) => input);
  }

  assign(assignment: Assignment): void {
    this.assignments.push(assignment);
    this.running.set(assignment.token, assignment);
    this.mostRunning = Math.max(this.mostRunning, this.running.size);
  }

  cancel(cancellation: AttemptCancellation): void {
    this.cancellations.push(cancellation);
  }

  superseded(): void {
    this.isSuperseded = true;
  }

  forgotten(): void {
    this.isForgotten = true;
  }

  complete(output?: unknown, token = this.last.token): Promise<Recorded> {
    this.running.delete(token);
    return this.#service.complete({ token, output });
  }

  fail(error: Partial<TaskError> = {}, token = this.last.token): Promise<Recorded> {
    this.running.delete(token);
    return this.#service.fail({ token, error: { name: "Error", message: "boom", ...error } });
  }

  refuse(reason = "not me", token = this.last.token): Promise<Recorded> {
    this.running.delete(token);
    return this.#service.refuse({ token, reason });
  }

  step(step: string, output: unknown, occurrence = 1, token = this.last.token): Promise<Recorded> {
    return this.#service.recordStep({ token, step, occurrence, output });
  }

  /** Lists what it holds unless told otherwise. */
  beat(attempts: readonly string[] = [...this.running.keys()]): Promise<Beat> {
    return this.#service.heartbeat({ worker: this.id, attempts });
  }

  drain(): Promise<Record<string, never>> {
    return this.#service.drainWorker({ worker: this.id });
  }
}
