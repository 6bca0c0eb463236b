import { limits } from "../sdk/protocol/limits.ts";
import type { Bounds } from "./bounds.ts";

/** One socket, as the gateway needs it. */
export interface Wire {
  send(text: string): void;
  /** Sends what was sent in between with as few writes as possible. */
  cork(): void;
  uncork(): void;
  /** Bytes handed over that the system has not taken yet. */
  readonly bufferedBytes: number;
  /** Bytes that the system has taken, ever. */
  readonly takenBytes: number;
}

/**
 * Everything that goes to one peer, in order. What one tick brings leaves together: as arrays to a
 * batching peer, as one write of many frames to any other.
 */
export class Outbox {
  isBatching = false;
  readonly #wire: Wire;
  readonly #bounds: Bounds;
  readonly #onOverflow: () => void;
  #queue: string[] = [];
  #queuedLength = 0;
  #reservedLength = 0;
  #isFlushDue = false;
  #isClosed = false;
  #held: (() => string)[] = [];
  #hasMissed = false;
  #mark: { readonly at: number; readonly takenBytes: number } | null = null;

  constructor(wire: Wire, { bounds, onOverflow }: { bounds: Bounds; onOverflow: () => void }) {
    this.#wire = wire;
    this.#bounds = bounds;
    this.#onOverflow = onOverflow;
  }

  /** Units of text, which is what memory holds, rather than bytes on the wire. */
  get waitingLength(): number {
    return this.#queuedLength + this.#reservedLength + this.#wire.bufferedBytes;
  }

  /** For what may also be left out: sent only to a reader that keeps up, and then true. */
  offer(text: string): boolean {
    if (this.waitingLength + text.length > this.#bounds.behindBytesMax) {
      this.#hasMissed = true;
      return false;
    }
    this.send(text);
    return true;
  }

  /** Counts what somebody keeps for this reader until it may be sent. */
  reserve(length: number): boolean {
    if (this.waitingLength + length > this.#bounds.behindBytesMax) {
      this.#hasMissed = true;
      return false;
    }
    this.#reservedLength += length;
    return true;
  }

  release(length: number): void {
    this.#reservedLength -= length;
  }

  get #keepsUp(): boolean {
    return this.waitingLength <= this.#bounds.behindBytesMax;
  }

  hasRoomFor(text: string): boolean {
    return this.waitingLength + text.length <= this.#bounds.waitingBytesMax;
  }

  send(text: string): void {
    if (this.#isClosed) return;
    this.#queue.push(text);
    this.#queuedLength += text.length;
    if (this.waitingLength > this.#bounds.waitingBytesMax) this.#onOverflow();
    if (this.#isFlushDue || this.#isClosed) return;
    this.#isFlushDue = true;
    // Runs when the promises of this tick have settled, so their replies leave together.
    process.nextTick(() => this.flush());
  }

  /**
   * For what can neither be dropped nor asked to come slower, such as hundreds of assignments at
   * once: written only when the reader has room, so that a burst does not look like a dead reader.
   */
  sendInTurn(write: () => string): void {
    if (this.#isClosed) return;
    if (this.#held.length === 0 && this.#keepsUp) this.send(write());
    else this.#held.push(write);
  }

  /** The system took everything; called by the transport. */
  drained(): void {
    this.#hasMissed = false;
    this.#sendHeld();
  }

  #sendHeld(): void {
    if (this.#held.length === 0) return;
    let releasedCount = 0;
    for (const write of this.#held) {
      if (!this.#keepsUp || this.#isClosed) break;
      this.send(write());
      releasedCount += 1;
    }
    this.#held = this.#held.slice(releasedCount);
  }

  flush(): void {
    this.#isFlushDue = false;
    if (this.#queue.length === 0 || this.#isClosed) return;
    const queue = this.#queue;
    this.#queue = [];
    this.#queuedLength = 0;
    this.#wire.cork();
    if (this.isBatching) this.#sendArrays(queue);
    else for (const text of queue) this.#wire.send(text);
    this.#wire.uncork();
  }

  /** Whether the reader is behind and has taken too little of it for too long. */
  isStuck(now: number): boolean {
    this.#sendHeld();
    if (this.#keepsUp && !this.#hasMissed && this.#held.length === 0) {
      this.#mark = null;
      return false;
    }
    const { takenBytes } = this.#wire;
    if (this.#mark === null || takenBytes - this.#mark.takenBytes >= this.#bounds.behindBytesMax) {
      this.#mark = { at: now, takenBytes };
      return false;
    }
    return now - this.#mark.at >= this.#bounds.behindMs;
  }

  close(): void {
    this.#isClosed = true;
    this.#queue = [];
    this.#queuedLength = 0;
    this.#held = [];
  }

  #sendArrays(texts: readonly string[]): void {
    let start = 0;
    let length = 0;
    for (const [index, text] of texts.entries()) {
      // Three bytes for each unit of UTF-16 at most: an array surely fits the peer's frame limit.
      const isFull = (length + text.length) * 3 + texts.length > this.#bounds.answerBytesMax;
      if (index > start && (index - start === limits.batchMessagesMax || isFull)) {
        this.#sendArray(texts.slice(start, index));
        start = index;
        length = 0;
      }
      length += text.length;
    }
    this.#sendArray(texts.slice(start));
  }

  #sendArray(texts: readonly string[]): void {
    const [first] = texts;
    if (first === undefined) return;
    this.#wire.send(texts.length === 1 ? first : `[${texts.join(",")}]`);
  }
}
