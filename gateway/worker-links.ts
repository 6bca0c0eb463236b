import type {
  Assignment,
  AttemptCancellation,
  Registered,
  RegisterParams,
  Service,
  WorkerLink,
  WorkerPort,
} from "../sdk/protocol/service.ts";
import type { Bounds } from "./bounds.ts";
import type { Outbox } from "./outbox.ts";
import { Quota } from "./quota.ts";
import type { SessionCall } from "./session.ts";
import { notification } from "./wire/notification.ts";

/** The workers that registered over one socket. */
export class WorkerLinks {
  readonly #outbox: Outbox;
  readonly #quota: Quota;
  readonly #links = new Map<string, WorkerLink>();
  #isClosed = false;

  constructor(outbox: Outbox, bounds: Bounds) {
    this.#outbox = outbox;
    this.#quota = new Quota(bounds.workersMax, "workers");
  }

  async register(
    service: Service,
    { params, call }: { params: RegisterParams; call: SessionCall },
  ): Promise<Registered> {
    const port = new SocketPort(this.#outbox);
    const link = await this.#quota.open(this.#links.size, () =>
      service.registerWorker(params, port),
    );
    const { worker } = link.registered;
    // The peer cannot know that it is registered: it will register again.
    if (this.#isClosed || !call.isOpen) {
      link.detach();
      return link.registered;
    }
    this.#links.set(worker, link);
    call.afterReply(() => port.start(worker, () => this.#forget(worker, link)));
    return link.registered;
  }

  /** Whether the worker registered over this socket, and nobody has taken its place since. */
  holds(worker: string): boolean {
    return this.#links.has(worker);
  }

  close(): void {
    this.#isClosed = true;
    for (const link of this.#links.values()) link.detach();
    this.#links.clear();
  }

  #forget(worker: string, link: WorkerLink): void {
    if (this.#links.get(worker) === link) this.#links.delete(worker);
  }
}

/** Keeps what comes before the worker has learned its id, then sends in order. */
class SocketPort implements WorkerPort {
  readonly #outbox: Outbox;
  #kept: (() => void)[] | null = [];
  #worker = "";
  #forget: () => void = () => {};

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  assign(assignment: Assignment): void {
    this.#inOrder(() =>
      this.#outbox.sendInTurn(() =>
        notification("attempt.assign", { ...assignment, worker: this.#worker }),
      ),
    );
  }

  cancel(cancellation: AttemptCancellation): void {
    this.#inOrder(() =>
      this.#outbox.sendInTurn(() => notification("attempt.cancel", cancellation)),
    );
  }

  superseded(): void {
    this.#inOrder(() => {
      const worker = this.#worker;
      this.#outbox.sendInTurn(() => notification("worker.superseded", { worker }));
      this.#forget();
    });
  }

  start(worker: string, forget: () => void): void {
    this.#worker = worker;
    this.#forget = forget;
    const kept = this.#kept ?? [];
    this.#kept = null;
    for (const send of kept) send();
  }

  #inOrder(send: () => void): void {
    if (this.#kept === null) send();
    else this.#kept.push(send);
  }
}
