/** The door to time. Nothing else in the runtime asks the machine what time it is. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Milliseconds that only grow; for measuring. */
  monotonic(): number;
  /** Calls back once; the returned function takes it back. Never keeps the process alive. */
  after(delayMs: number, callback: () => void): () => void;
  /** Calls back when what is under way now has had its say: the end of the tick. */
  soon(callback: () => void): void;
}

/** Longer timers would fire at once: the platform's delay is a 32-bit number. */
const delayMsMax = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), delayMsMax));
    timer.unref();
    return () => clearTimeout(timer);
  },
  soon: (callback) => void setImmediate(callback),
};
