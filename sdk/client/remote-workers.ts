import { isKantokuError } from "../errors.ts";
import type {
  Assignment,
  AttemptCancellation,
  Registered,
  RegisterParams,
  WorkerLink,
  WorkerPort,
} from "../protocol/service.ts";
import { backoffMs } from "../time/backoff.ts";
import type { Clock } from "../time/clock.ts";
import type { Connection, Loss } from "./connection.ts";

type Params = Readonly<Record<string, unknown>>;

interface Parts {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly random: () => number;
}

interface RemoteWorker {
  readonly params: RegisterParams;
  readonly port: WorkerPort;
  registered: Registered | undefined;
  /** While it is under way. */
  registering: Promise<Registered> | undefined;
  failures: number;
}

/** Workers that outlive their sockets: each registers again, with the tokens it holds. */
export class RemoteWorkers {
  readonly #parts: Parts;
  readonly #workers = new Set<RemoteWorker>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async register(params: RegisterParams, port: WorkerPort): Promise<WorkerLink> {
    const known = Array.from(this.#workers).find((worker) => worker.port === port);
    // Its heartbeat went out with the registration after an outage, and was answered first.
    if (known?.registering) return this.#linkOf(known, await known.registering);
    // A worker that the server forgot comes back through the same port.
    if (known) this.#workers.delete(known);
    const worker = { params, port, registered: undefined, registering: undefined, failures: 0 };
    this.#workers.add(worker);
    try {
      return this.#linkOf(worker, await this.#call(worker, params));
    } catch (thrown) {
      this.#workers.delete(worker);
      throw thrown;
    }
  }

  registerAllAgain(): void {
    for (const worker of this.#workers) {
      if (!worker.registering) void this.#registerAgain(worker);
    }
  }

  lost({ url, cause }: Loss): void {
    const loss = { url, ...(cause && { reason: cause.message }) };
    for (const { port } of this.#workers) port.connectionLost?.(loss);
  }

  assign(params: Params): void {
    const assignment = params as Params & Assignment;
    this.#addressee(assignment)?.port.assign(assignment);
  }

  // Tokens are unique: the worker that holds this one acts, the others do not know it.
  cancel(params: Params): void {
    for (const { port } of this.#workers) port.cancel(params as Params & AttemptCancellation);
  }

  superseded({ worker: id }: Params & { readonly worker?: unknown }): void {
    for (const worker of this.#workers) {
      if (worker.registered?.worker === id) this.#supersede(worker);
    }
  }

  supersedeAll(): void {
    for (const worker of this.#workers) this.#supersede(worker);
  }

  closeAll(): void {
    this.#workers.clear();
  }

  async #registerAgain(worker: RemoteWorker): Promise<void> {
    const { params, port } = worker;
    const earlier = worker.registered?.worker ?? params.worker;
    try {
      const registered = await this.#call(worker, {
        ...params,
        ...(earlier !== undefined && { worker: earlier }),
        attempts: port.held?.() ?? [],
      });
      if (this.#workers.has(worker)) port.registeredAgain?.(registered);
      // It left meanwhile, and the server would go on to assign to it.
      else await this.#parts.connection.call("worker.drain", { worker: registered.worker });
    } catch (thrown) {
      if (!this.#workers.has(worker)) return;
      if (isKantokuError(thrown, "conflict")) this.#supersede(worker);
      else this.#registerLater(worker);
    }
  }

  #registerLater(worker: RemoteWorker): void {
    const { clock, random } = this.#parts;
    clock.after(backoffMs(worker.failures, random), () => {
      if (this.#workers.has(worker) && !worker.registering) void this.#registerAgain(worker);
    });
    worker.failures += 1;
  }

  async #call(worker: RemoteWorker, params: RegisterParams): Promise<Registered> {
    worker.registering = this.#parts.connection.call<Registered>("worker.register", params, {
      isFirst: true,
      // Before the next message of the frame, which may be the first assignment.
      onResult: (result) => {
        worker.registered = result as Registered;
        worker.failures = 0;
      },
    });
    try {
      return await worker.registering;
    } finally {
      worker.registering = undefined;
    }
  }

  #linkOf(worker: RemoteWorker, registered: Registered): WorkerLink {
    return { registered, detach: () => this.#workers.delete(worker) };
  }

  // A server that does not say whom an assignment is for has one worker of that definition here.
  #addressee({ worker: id, definition, version }: Assignment): RemoteWorker | undefined {
    const workers = Array.from(this.#workers);
    if (id !== undefined) return workers.find(({ registered }) => registered?.worker === id);
    return workers.find(({ params }) =>
      params.definitions.some(
        (served) =>
          served.name === definition &&
          (served.version === undefined || served.version === version),
      ),
    );
  }

  #supersede(worker: RemoteWorker): void {
    this.#workers.delete(worker);
    worker.port.superseded();
  }
}
