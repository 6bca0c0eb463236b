/** The gateway's only source of time, so that tests turn it by hand. It asks nobody for the date. */
export interface Clock {
  /** Milliseconds that only grow; for measuring. */
  monotonic(): number;
  /** Runs `beat` every `everyMs` until the returned function is called. */
  every(everyMs: number, beat: () => void): () => void;
}

export const systemClock: Clock = {
  monotonic: () => performance.now(),
  every: (everyMs, beat) => {
    const timer = setInterval(beat, everyMs);
    return () => clearInterval(timer);
  },
};
