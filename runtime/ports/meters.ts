/** Where a node counts and measures what it does. Must not throw and must not block. */
export interface Meters {
  /** A task's turn was committed. */
  turned(definition: string, before: { readonly status: string }, turn: TurnFacts): void;
  committed(turns: number, durationMs: number): void;
  /** The store answered one sending of a batch with a fault; it may be sent again. */
  commitFailed(fault: string): void;
  /** Turns that will not be sent again. */
  turnsRejected(turns: number, fault: string): void;
  /** One question to the queue, and how many tasks it gave. */
  claimed(tasks: number): void;
  /** Reads the gauges whenever somebody collects, until the returned function is called. */
  observe(gauges: Gauges): () => void;
}

interface TurnFacts {
  readonly state: { readonly status: string };
  readonly events: readonly { readonly type: string }[];
}

export interface Gauges {
  /** What workers of this node hold, abandoned attempts included. */
  runningAttempts(): number;
  /** Turns that wait for a commit. */
  gatheredTurns(): number;
  connectedWorkers(): number;
  liveSubscriptions(): number;
}

export const silentMeters: Meters = {
  turned: () => {},
  committed: () => {},
  commitFailed: () => {},
  turnsRejected: () => {},
  claimed: () => {},
  observe: () => () => {},
};
