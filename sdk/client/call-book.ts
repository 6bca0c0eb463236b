import type { KantokuError } from "../errors.ts";

/** A call from its making to its answer, over as many connections as that takes. */
interface OpenCall {
  readonly id: number;
  readonly text: string;
  /** Registrations and subscriptions: what the other calls' answers rely on. */
  readonly isFirst: boolean;
  /** Answered when a task ends rather than at once. */
  readonly isWaiting: boolean;
  readonly settle: (result: unknown) => void;
  readonly fail: (error: KantokuError) => void;
}

// Waiting calls leave room for the short ones, or a client that waits for its own worker's results
// could no longer send its completions.
const waitingShare = 0.8;
// Where that many of those places are taken, others will soon queue for one.
const crowdedShare = 0.5;

/** Unanswered calls, and which of them may be on the wire at once. */
export class CallBook {
  /** How many unanswered calls the server bears on one connection. */
  windowMax = 1000;
  readonly #open = new Map<number, OpenCall>();
  readonly #sent = new Map<number, OpenCall>();
  #first: OpenCall[] = [];
  #short: OpenCall[] = [];
  #waiting: OpenCall[] = [];
  #waitingCount = 0;
  #sentWaitingCount = 0;

  get size(): number {
    return this.#open.size;
  }

  get hasUnsent(): boolean {
    return this.#sent.size < this.#open.size;
  }

  /** Whether a waiting call more would not have to queue. */
  get hasRoomToWait(): boolean {
    return this.#waitingCount < this.#waitingMax;
  }

  /** Whether a waiting call more should leave its place soon. */
  get isCrowded(): boolean {
    return this.#waitingCount >= this.#waitingMax * crowdedShare;
  }

  get #waitingMax(): number {
    return Math.floor(this.windowMax * waitingShare);
  }

  add(call: OpenCall): void {
    this.#open.set(call.id, call);
    if (call.isWaiting) this.#waitingCount += 1;
    this.#enqueue(call);
  }

  /** The calls to send now, in order; they count as sent. */
  take(): readonly OpenCall[] {
    const taken = this.#take(this.#first, Number.POSITIVE_INFINITY);
    this.#first = this.#first.slice(taken.length);
    const short = this.#take(this.#short, this.windowMax - this.#sent.size);
    this.#short = this.#short.slice(short.length);
    const waitingRoom = this.#waitingMax - this.#sentWaitingCount;
    const room = Math.min(waitingRoom, this.windowMax - this.#sent.size);
    const waiting = this.#take(this.#waiting, room);
    this.#waiting = this.#waiting.slice(waiting.length);
    return taken.concat(short, waiting);
  }

  /** The call that was answered; undefined for an answer to nothing, or a second one. */
  close(id: number): OpenCall | undefined {
    const call = this.#open.get(id);
    if (!call) return undefined;
    this.#open.delete(id);
    if (call.isWaiting) this.#waitingCount -= 1;
    this.#unsend(call);
    return call;
  }

  /** The connection is gone: what is unanswered was not sent. Keeps the calls' order. */
  unsendAll(): void {
    this.#sent.clear();
    this.#sentWaitingCount = 0;
    this.#first = [];
    this.#short = [];
    this.#waiting = [];
    for (const call of this.#open.values()) this.#enqueue(call);
  }

  failAll(error: KantokuError): void {
    const calls = Array.from(this.#open.values());
    this.#open.clear();
    this.#waitingCount = 0;
    this.unsendAll();
    for (const call of calls) call.fail(error);
  }

  #take(queue: readonly OpenCall[], room: number): OpenCall[] {
    const taken = queue.slice(0, Math.max(0, room));
    for (const call of taken) {
      this.#sent.set(call.id, call);
      if (call.isWaiting) this.#sentWaitingCount += 1;
    }
    return taken;
  }

  #unsend(call: OpenCall): void {
    if (this.#sent.delete(call.id) && call.isWaiting) this.#sentWaitingCount -= 1;
  }

  #enqueue(call: OpenCall): void {
    if (call.isFirst) this.#first.push(call);
    else if (call.isWaiting) this.#waiting.push(call);
    else this.#short.push(call);
  }
}
