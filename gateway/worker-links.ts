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

interface Held {
  readonly link: WorkerLink;
  readonly port: SocketPort;
}

/** The workers that registered over one socket. */
export class WorkerLinks {
  readonly #outbox: Outbox;
  readonly #quota: Quota;
  readonly #held = new Map<string, Held>();
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
    const link = await this.#quota.open(this.#held.size, () =>
      service.registerWorker(params, port),
    );
    const { worker } = link.registered;
    // The peer cannot know that it is registered: it will register again.
    if (this.#isClosed || !call.isOpen) {
      link.detach();
      return link.registered;
    }
    const earlier = this.#held.get(worker)?.port;
    // It registered again before it heard of the first time: what was kept for it then is stale.
    if (earlier?.isStarted === false) earlier.drop();
    const held = { link, port };
    this.#held.set(worker, held);
    call.afterReply(() => port.start(worker, () => this.#forget(worker, held)));
    return link.registered;
  }

  /**
   * Whether the worker registered over this socket, and nobody has taken its place since. Before
   * it has heard so it cannot say what it holds, and what is kept for it must not pile up.
   */
  holds(worker: string): boolean {
    return this.#held.get(worker)?.port.isStarted === true;
  }

  close(): void {
    this.#isClosed = true;
    for (const { link, port } of this.#held.values()) {
      port.drop();
      link.detach();
    }
    this.#held.clear();
  }

  #forget(worker: string, held: Held): void {
    if (this.#held.get(worker) === held) this.#held.delete(worker);
  }
}

/** Keeps what comes before the worker has learned its id, then sends in order. */
class SocketPort implements WorkerPort {
  readonly #outbox: Outbox;
  #kept: (() => void)[] | null = [];
  #worker = "";
  #forget: () => void = () => {};
  #isDropped = false;

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

  forgotten(): void {
    this.#inOrder(() => this.#forget());
  }

  get isStarted(): boolean {
    return this.#kept === null;
  }

  start(worker: string, forget: () => void): void {
    if (this.#isDropped) return;
    this.#worker = worker;
    this.#forget = forget;
    const kept = this.#kept ?? [];
    this.#kept = null;
    for (const send of kept) send();
  }

  /** Nothing more goes through it, and nothing stays in it. */
  drop(): void {
    this.#isDropped = true;
    this.#kept &&= [];
  }

  #inOrder(send: () => void): void {
    if (this.#isDropped) return;
    if (this.#kept === null) send();
    else this.#kept.push(send);
  }
}
