import { KantokuError } from "../sdk/errors.ts";
import { namespaceDefault } from "../sdk/protocol/limits.ts";
import type { Service } from "../sdk/protocol/service.ts";
import type { Bounds } from "./bounds.ts";
import { type Call, Calls } from "./calls.ts";
import type { Clock } from "./clock.ts";
import type { Dispatch } from "./dispatch.ts";
import type { Entropy } from "./entropy.ts";
import type { Log } from "./log.ts";
import type { Push } from "./push.ts";
import type { ReadLines } from "./read-lines.ts";
import type { ReadLine } from "./reads.ts";

export type SessionCall = Call<Session>;

/** What all sessions of one gateway share. */
export interface House {
  readonly service: (namespace: string) => Service;
  readonly dispatch: Dispatch<SessionCall>;
  readonly bounds: Bounds;
  /** For one connection. */
  readonly openLines: () => ReadLines;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
}

/** Who calls, for which namespace, and what runs for it: a socket's life, or one HTTP request's. */
export class Session {
  readonly id: string;
  readonly bounds: Bounds;
  readonly calls: Calls<Session>;
  /** How messages reach the peer unasked; null where they cannot. */
  readonly push: Push | null;
  #namespace = namespaceDefault;
  #service: Service | null = null;
  readonly #toService: (namespace: string) => Service;
  readonly #log: Log;
  readonly #lines: ReadLines;
  readonly #departure = new Set<() => void>();
  #hasLeft = false;

  constructor(house: House, { push, lines }: { push: Push | null; lines: ReadLines }) {
    this.id = house.entropy.id();
    this.bounds = house.bounds;
    this.calls = new Calls(house.dispatch, house);
    this.push = push;
    this.#toService = house.service;
    this.#log = house.log;
    this.#lines = lines;
  }

  get namespace(): string {
    return this.#namespace;
  }

  /** The first use fixes the namespace for the session's life. */
  get service(): Service {
    this.#service ??= this.#toService(this.#namespace);
    return this.#service;
  }

  /** A read that may be large: it takes its turn among those of the gateway. */
  read<T>(call: SessionCall, read: (service: Service) => Promise<T>): Promise<T> {
    return this.#inLine(this.#lines.large, { call, read });
  }

  /** A read of one row: what many connections ask of them at once is more than memory bears. */
  readOne<T>(call: SessionCall, read: (service: Service) => Promise<T>): Promise<T> {
    return this.#inLine(this.#lines.single, { call, read });
  }

  /** A read of everything, which may take minutes: never two at once, or nobody else could read. */
  examine<T>(call: SessionCall, read: (service: Service) => Promise<T>): Promise<T> {
    return this.#inLine(this.#lines.everything, { call, read });
  }

  /** Does it once the peer is gone; the function returned prevents it. */
  whenGone(act: () => void): () => void {
    if (this.#hasLeft) queueMicrotask(act);
    else this.#departure.add(act);
    return () => this.#departure.delete(act);
  }

  /** The peer is gone: who waits on its behalf need wait no longer. */
  leave(): void {
    this.#hasLeft = true;
    for (const act of this.#departure) act();
    this.#departure.clear();
  }

  reportUnwritable(failure: unknown): void {
    const failed = String(failure);
    this.#log.error("a result cannot be written as JSON", { session: this.id, failure: failed });
  }

  enter(namespace: string): void {
    if (namespace === this.#namespace) {
      void this.service;
      return;
    }
    if (this.#service !== null) {
      const message = `This session works in namespace ${this.#namespace}; open another connection for ${namespace}`;
      throw new KantokuError("conflict", message, { data: { namespace: this.#namespace } });
    }
    this.#namespace = namespace;
    void this.service;
  }

  #inLine<T>(
    line: ReadLine,
    { call, read }: { call: SessionCall; read: (service: Service) => Promise<T> },
  ): Promise<T> {
    const { service } = this;
    const isWanted = () => call.isOpen && !this.#hasLeft;
    return line.run(() => read(service), isWanted);
  }
}
