import type { Clock } from "../ports/clock.ts";
import type { Entropy } from "../ports/entropy.ts";
import type { Log } from "../ports/log.ts";
import type { Meters } from "../ports/meters.ts";
import { type CommitStore, isStoreError, StoreError } from "../store/store.ts";
import { type Committed, lanesDefault, type Turn } from "../store/turns.ts";

/** Turns that wait for their commit, never split, and whoever is told of the outcome. */
export interface Draft {
  readonly turns: readonly Turn[];
  readonly bytes: number;
  /** A guess: it goes only if the batch goes as it is, and is left out where the store says no. */
  readonly isForetold?: boolean;
  committed(committed: Committed): void;
  /** Not written, for sure. `fenced` after a lost answer is the exception: see `wasSent`. */
  rejected(error: StoreError, wasSent: boolean): void;
}

/** Has mail; gives its turn when its batch is formed, so that all that came meanwhile is in it. */
interface Turning {
  /** Turns of one group meet at the same rows: in batches of their own they would only queue there. */
  readonly group?: string | undefined;
  takeTurn(batch: BatchInMaking): readonly Draft[];
}

/** Tells the turns of one batch from those of others; nothing but an identity. */
export type BatchInMaking = Readonly<Record<never, never>>;

/** Near 400, Node and PostgreSQL work at the same time; one huge batch makes them take turns. */
const batchTurnsMax = 400;
/** Below it a batch costs more by itself than working at the same time gains. */
const batchTurnsMin = 32;
const batchBytesMax = 8 * 1024 * 1024;
const resendMinMs = 20;
const resendMaxMs = 1_000;
/** A batch that met others, or its time, so often may simply be too much at once. */
const contendedMax = 5;

/**
 * Turns that end within one tick share one transaction; while commits are in flight the next batch
 * gathers. Latency is one commit when idle, throughput is the batch when busy.
 *
 * C1. A lane has one commit in flight; an actor has at most one turn in all lanes (its own flag).
 * C2. A batch whose answer was lost is sent again, identical, until the store answers for it.
 * C3. A batch that the store refuses, or cannot get through, is halved until the guilty turn is alone.
 */
export class GroupCommit {
  readonly #store: CommitStore;
  readonly #clock: Clock;
  readonly #entropy: Entropy;
  readonly #log: Log;
  readonly #meters: Meters;
  readonly #idleLanes: Lane[];
  readonly #waiting: Turning[] = [];
  #node: string;
  #isFlushDue = false;
  #inFlight = 0;
  #onQuiet: (() => void)[] = [];
  /** Since when (monotonic) the store has not answered; null while it does. */
  outageSince: number | null = null;

  constructor(options: {
    store: CommitStore;
    clock: Clock;
    entropy: Entropy;
    log: Log;
    meters: Meters;
    node: string;
    lanes?: number;
  }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#entropy = options.entropy;
    this.#log = options.log;
    this.#meters = options.meters;
    this.#node = options.node;
    const lanes = options.lanes ?? lanesDefault;
    this.#idleLanes = Array.from({ length: lanes }, (_, index) => ({ index, lastId: 0 }));
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  schedule(turning: Turning): void {
    this.#waiting.push(turning);
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#clock.soon(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  /** Resolves when nothing waits and nothing is in flight. */
  quiet(): Promise<void> {
    if (this.#inFlight === 0 && this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onQuiet.push(resolve));
  }

  #flush(): void {
    while (this.#waiting.length > 0) {
      const lane = this.#idleLanes.pop();
      if (lane === undefined) return;
      const drafts = this.#formBatch(this.#fairShare());
      if (drafts.length === 0) {
        this.#idleLanes.push(lane);
        continue;
      }
      this.#inFlight += 1;
      void this.#settle(lane, drafts).finally(() => {
        this.#inFlight -= 1;
        this.#idleLanes.push(lane);
        this.#flush();
      });
    }
    if (this.#inFlight === 0) for (const resolve of this.#onQuiet.splice(0)) resolve();
  }

  /** What waits is shared among the idle lanes, so that Node prepares one while the others commit. */
  #fairShare(): number {
    const share = Math.ceil(this.#waiting.length / (this.#idleLanes.length + 1));
    return Math.min(batchTurnsMax, Math.max(batchTurnsMin, share));
  }

  #formBatch(turnsMax: number): Draft[] {
    const drafts: Draft[] = [];
    let bytes = 0;
    let taken = 0;
    const batch: BatchInMaking = {};
    let turns = 0;
    let group: string | undefined;
    while (taken < this.#waiting.length && turns < batchTurnsMax && bytes < batchBytesMax) {
      const taking = this.#waiting[taken];
      const isTogether = group !== undefined && taking?.group === group;
      if (turns >= turnsMax && !isTogether) break;
      group = taking?.group;
      taken += 1;
      for (const draft of taking?.takeTurn(batch) ?? []) {
        drafts.push(draft);
        bytes += draft.bytes;
        turns += draft.turns.length;
      }
    }
    this.#waiting.splice(0, taken);
    return drafts;
  }

  async #settle(lane: Lane, drafts: readonly Draft[]): Promise<void> {
    const fate = await this.#send(lane, drafts);
    if (fate.kind === "committed") {
      this.#meters.committed(turnsOf(drafts), fate.tookMs);
      for (const draft of drafts) draft.committed(fate.committed);
      return;
    }
    const { error, wasSent } = fate;
    const isDivisible = error.fault !== "fenced";
    if (!isDivisible || drafts.length === 1) {
      if (isDivisible) this.#log.warn("a turn was not committed", { fault: error.fault, error });
      this.#meters.turnsRejected(turnsOf(drafts), error.fault);
      for (const draft of drafts) draft.rejected(error, wasSent);
      return;
    }
    const certain = drafts.filter(({ isForetold }) => isForetold !== true);
    if (certain.length < drafts.length) {
      for (const draft of drafts) if (draft.isForetold === true) draft.rejected(error, wasSent);
      return this.#settle(lane, certain);
    }
    const middle = drafts.length >> 1;
    await this.#settle(lane, drafts.slice(0, middle));
    await this.#settle(lane, drafts.slice(middle));
  }

  /** Sends one batch until its fate is known. */
  async #send(lane: Lane, drafts: readonly Draft[]): Promise<Fate> {
    lane.lastId += 1;
    const turns = drafts.flatMap((draft) => draft.turns);
    const batch = { node: this.#node, lane: lane.index, id: lane.lastId, turns };
    let wasSent = false;
    for (let resends = 0; ; resends += 1) {
      const sentAt = this.#clock.monotonic();
      try {
        const committed = await this.#store.commit(batch);
        this.outageSince = null;
        return { kind: "committed", committed, tookMs: this.#clock.monotonic() - sentAt };
      } catch (cause) {
        const error = isStoreError(cause)
          ? cause
          : new StoreError("refused", "the store failed unexpectedly", { cause });
        this.#meters.commitFailed(error.fault);
        if (error.fault === "unknown") wasSent = true;
        const isOutage = error.fault === "unknown" || error.fault === "unavailable";
        if (isOutage) this.outageSince ??= this.#clock.monotonic();
        else this.outageSince = null;
        // What may have been written is sent again, identical, whatever it meets: C2.
        const isTooMuch = resends >= contendedMax && drafts.length > 1 && !wasSent;
        const isSentAgain = isOutage || (error.fault === "contended" && !isTooMuch);
        if (!isSentAgain) return { kind: "rejected", error, wasSent };
        await this.#pause(resends);
      }
    }
  }

  #pause(resends: number): Promise<void> {
    const ceiling = Math.min(resendMaxMs, resendMinMs * 2 ** Math.min(resends, 10));
    const delayMs = ceiling * (0.5 + this.#entropy.random() / 2);
    return new Promise((resolve) => this.#clock.after(delayMs, resolve));
  }
}

function turnsOf(drafts: readonly Draft[]): number {
  return drafts.reduce((sum, { turns }) => sum + turns.length, 0);
}

interface Lane {
  readonly index: number;
  lastId: number;
}

type Fate =
  | { readonly kind: "committed"; readonly committed: Committed; readonly tookMs: number }
  | { readonly kind: "rejected"; readonly error: StoreError; readonly wasSent: boolean };
