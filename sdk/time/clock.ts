/** The SDK's only source of time, so that tests turn it by hand; the runtime's fits. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Runs `act` once after `ms`; the function returned prevents it. */
  after(ms: number, act: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, act) => {
    const timer = setTimeout(act, Math.min(ms, timerMsMax));
    return () => clearTimeout(timer);
  },
};

// setTimeout fires at once for more than 2^31 − 1 ms.
const timerMsMax = 2 ** 31 - 1;

/** Resolves after `ms`, or as soon as the signal aborts; never rejects. */
export function wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const finish = () => {
      cancel();
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const cancel = clock.after(ms, finish);
    signal.addEventListener("abort", finish, { once: true });
  });
}
