const callSlot = 0;
const beganSlot = 1;

/**
 * Which call of its batch a thread is at, and since when, in memory that both sides see: a thread in
 * an endless loop answers no message. The time is the process's monotonic one; `performance.now`
 * counts from another origin in every thread.
 */
export class Progress {
  static readonly bytes = 2 * BigInt64Array.BYTES_PER_ELEMENT;
  readonly #slots: BigInt64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#slots = new BigInt64Array(memory);
  }

  begin(call: number): void {
    Atomics.store(this.#slots, beganSlot, process.hrtime.bigint());
    Atomics.store(this.#slots, callSlot, BigInt(call + 1));
  }

  end(): void {
    Atomics.store(this.#slots, callSlot, 0n);
  }

  /** The call under way; null between two. */
  read(): { call: number; elapsedMs: number } | null {
    const call = Number(Atomics.load(this.#slots, callSlot)) - 1;
    if (call < 0) return null;
    const elapsedNs = process.hrtime.bigint() - Atomics.load(this.#slots, beganSlot);
    return { call, elapsedMs: Number(elapsedNs) / 1e6 };
  }
}
