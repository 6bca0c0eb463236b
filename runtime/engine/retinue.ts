import { isKantokuError } from "../../sdk/errors.ts";
import type { RegisterParams, WorkerLink, WorkerPort } from "../../sdk/protocol/service.ts";
import type { Log } from "../ports/log.ts";
import type { WorkerStore } from "../store/store.ts";
import type { Life } from "./life.ts";
import type { Holding } from "./worker-actor.ts";
import { dismiss } from "./worker-losses.ts";

/**
 * The workers whose sockets are at this node, whichever life it is in. They do not notice when it
 * begins another: their attempts go on.
 */
export class Retinue {
  readonly #store: WorkerStore;
  readonly #log: Log;
  /** Of this node: those that it had when a worker came, or was taken along. */
  readonly #incarnations = new Set<string>();
  readonly #registrations = new Set<Registration>();

  constructor(options: { store: WorkerStore; log: Log }) {
    this.#store = options.store;
    this.#log = options.log;
  }

  async register(
    life: Life,
    { namespace, params, port }: { namespace: string; params: RegisterParams; port: WorkerPort },
  ): Promise<WorkerLink> {
    this.#incarnations.add(life.incarnation);
    let registration: Registration | null = null;
    // A worker that is lost or serves elsewhere is not taken along into the next life.
    const leaveBehind = (): void => {
      if (registration !== null) this.#registrations.delete(registration);
    };
    const watched: WorkerPort = {
      assign: (assignment) => port.assign(assignment),
      cancel: (cancellation) => port.cancel(cancellation),
      superseded: () => {
        leaveBehind();
        port.superseded();
      },
      forgotten: () => {
        leaveBehind();
        port.forgotten?.();
      },
    };
    const link = await life.workers.register(namespace, params, watched);
    const worker = link.registered.worker;
    registration = {
      namespace,
      params: { ...params, worker },
      port: watched,
      link,
      incarnation: life.incarnation,
      held: [],
      takenAlong: Promise.resolve(),
    };
    for (const other of [...this.#registrations]) {
      if (other.link.registered.worker !== worker) continue;
      this.#registrations.delete(other);
      // This life has not taken it along: nobody else here tells the process that it was replaced.
      if (other.params.instance !== params.instance) other.port.superseded();
    }
    this.#registrations.add(registration);
    const own = registration;
    return {
      registered: link.registered,
      detach: () => {
        this.#registrations.delete(own);
        own.link.detach();
      },
    };
  }

  /**
   * A process registers anew by itself: it is not taken along any more, and resolves once nobody is
   * at that. Both at once, one of them would be taken for another process under the same name.
   */
  async giveWay(namespace: string, { instance, name, worker }: RegisterParams): Promise<void> {
    for (const registration of [...this.#registrations]) {
      const { params } = registration;
      if (registration.namespace !== namespace || params.instance !== instance) continue;
      if (params.worker !== worker && (name === undefined || params.name !== name)) continue;
      this.#registrations.delete(registration);
      await registration.takenAlong;
    }
  }

  /** The life is over. Of whom it had not reached yet it knows less than the one before. */
  noteHeld({ incarnation, pool }: Life): void {
    for (const registration of this.#registrations) {
      if (registration.incarnation !== incarnation) continue;
      const holdings = pool.get(registration.link.registered.worker)?.holdings.values() ?? [];
      registration.held = [...holdings].filter(({ sentAt }) => sentAt !== null);
    }
  }

  /** Into this life, one after the other, until it is over, too: the next begins with all of them. */
  async takeAlong(life: Life): Promise<void> {
    this.#incarnations.add(life.incarnation);
    for (const registration of [...this.#registrations]) {
      if (life.isOver) return;
      if (!this.#registrations.has(registration)) continue;
      registration.takenAlong = this.#takeOne(registration, life);
      await registration.takenAlong;
    }
  }

  async #takeOne(registration: Registration, life: Life): Promise<void> {
    const { namespace, params, port, held } = registration;
    const attempts = held.map(({ token }) => token);
    try {
      const row = await this.#store.read(registration.link.registered.worker);
      // It registers anew by itself, or has.
      const isLeft = !this.#registrations.has(registration);
      if (isLeft || row?.node === life.incarnation || life.isOver) return;
      if (row === null || row.node === null || !this.#incarnations.has(row.node)) {
        dismiss({ instance: params.instance, port }, row);
        return;
      }
      const link = await life.workers.register(namespace, { ...params, attempts }, port);
      if (life.isOver) return;
      registration.link = link;
      registration.incarnation = life.incarnation;
      registration.held = [];
      // Who waits for children has told the last life that they may have its slot.
      for (const { token, isSuspended } of held) {
        if (isSuspended && life.pool.suspend(token)) life.backlog.slotFreed();
      }
      // Its socket closed meanwhile, and detached only from the last life.
      if (!this.#registrations.has(registration)) link.detach();
      for (const token of link.registered.drop) {
        port.cancel({ token, reason: "the attempt is over", graceMs: 0 });
      }
    } catch (error) {
      if (life.isOver) return;
      this.#log.warn("worker not taken along", { worker: params.worker, error });
      this.#registrations.delete(registration);
      // For any other reason it is unknown here: its next heartbeat hears so, and it registers.
      if (isKantokuError(error, "conflict")) port.superseded();
    }
  }
}

interface Registration {
  readonly namespace: string;
  readonly params: RegisterParams;
  readonly port: WorkerPort;
  link: WorkerLink;
  /** The life that it is registered in. */
  incarnation: string;
  /** What it held when that life ended. */
  held: readonly Holding[];
  /** Resolves once nobody is at taking it along. */
  takenAlong: Promise<void>;
}
