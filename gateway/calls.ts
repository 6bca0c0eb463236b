import type { Bounds } from "./bounds.ts";
import type { Clock } from "./clock.ts";
import type { Dispatch } from "./dispatch.ts";
import type { Request } from "./wire/message.ts";
import { errorReply, type MessageId, type Reply } from "./wire/reply.ts";

/**
 * Gets the reply of one message, null where nothing may be sent, and what is to happen once that
 * reply is on its way.
 */
export type Deliver = (reply: Reply | null, afterwards?: () => void) => void;

/** One request that runs, as its handler sees it. */
export class Call<Session> {
  readonly session: Session;
  readonly id: MessageId | undefined;
  readonly deliver: Deliver;
  deadlineAt: number;
  /** Only waits for something, and so may be cut short when the server stops. */
  isWaiting = false;
  isOpen = true;
  #afterwards: (() => void) | undefined;

  constructor(
    session: Session,
    {
      id,
      deliver,
      deadlineAt,
    }: { id: MessageId | undefined; deliver: Deliver; deadlineAt: number },
  ) {
    this.session = session;
    this.id = id;
    this.deliver = deliver;
    this.deadlineAt = deadlineAt;
  }

  waitFor(waitMs: number): void {
    this.isWaiting = true;
    this.deadlineAt += waitMs;
  }

  /** `run` happens once the reply is on its way, so that what it sends comes after the reply. */
  afterReply(run: () => void): void {
    this.#afterwards = run;
  }

  finish(reply: Reply | null): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.deliver(reply, this.#afterwards);
  }
}

/** The unanswered calls of one peer: how many there may be, how long, and what a shutdown does to them. */
export class Calls<Session> {
  readonly #dispatch: Dispatch<Call<Session>>;
  readonly #bounds: Bounds;
  readonly #clock: Clock;
  readonly #open = new Set<Call<Session>>();
  #isDraining = false;
  #idle: PromiseWithResolvers<void> | null = null;

  constructor(
    dispatch: Dispatch<Call<Session>>,
    { bounds, clock }: { bounds: Bounds; clock: Clock },
  ) {
    this.#dispatch = dispatch;
    this.#bounds = bounds;
    this.#clock = clock;
  }

  /** Resolves when every call has been answered. */
  async idle(): Promise<void> {
    if (this.#open.size === 0) return;
    this.#idle ??= Promise.withResolvers();
    await this.#idle.promise;
  }

  start(request: Request, { session, deliver }: { session: Session; deliver: Deliver }): void {
    const { id } = request;
    const refusal = this.#refusal(id);
    if (refusal !== undefined) {
      deliver(refusal);
      return;
    }
    const deadlineAt = this.#clock.monotonic() + this.#bounds.callDeadlineMs;
    const call = new Call(session, { id, deliver, deadlineAt });
    this.#open.add(call);
    void this.#dispatch(request, call).then((reply) => this.#finish(call, reply));
  }

  endOverdue(now: number): void {
    for (const call of this.#open) {
      if (call.deadlineAt <= now) this.#fail(call, "deadline-exceeded", overdueMessage);
    }
  }

  /** New calls are refused from now on, and calls that only wait are sent elsewhere. */
  drain(): void {
    this.#isDraining = true;
    for (const call of this.#open) {
      if (call.isWaiting) this.#fail(call, "shutting-down", shutdownMessage);
    }
  }

  endAll(): void {
    for (const call of this.#open) this.#fail(call, "shutting-down", shutdownMessage);
  }

  #refusal(id: MessageId | undefined): Reply | null | undefined {
    if (this.#isDraining) {
      return id === undefined
        ? null
        : errorReply(id, "shutting-down", { message: shutdownMessage });
    }
    if (this.#open.size < this.#bounds.inFlightCallsMax) return undefined;
    if (id === undefined) return null;
    const message = `${this.#open.size} calls of this connection are unanswered; wait for some`;
    return errorReply(id, "busy", { message, data: { retryAfterMs: 100 } });
  }

  #fail(call: Call<Session>, code: "deadline-exceeded" | "shutting-down", message: string): void {
    this.#finish(call, call.id === undefined ? null : errorReply(call.id, code, { message }));
  }

  #finish(call: Call<Session>, reply: Reply | null): void {
    this.#open.delete(call);
    call.finish(reply);
    if (this.#open.size === 0) this.#idle?.resolve();
  }
}

const shutdownMessage = "This server is shutting down; send the call again, elsewhere or later";
const overdueMessage = "The call took too long; its outcome may still come, ask by id or key";
