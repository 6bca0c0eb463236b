/** The gateway's only source of time, so that tests turn it by hand. */
export interface Clock {
  /** Monotonic milliseconds; only differences mean anything. */
  now(): number;
  /** Runs `beat` every `everyMs` until the returned function is called. */
  every(everyMs: number, beat: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  every: (everyMs, beat) => {
    const timer = setInterval(beat, everyMs);
    return () => clearInterval(timer);
  },
};
