import { limits } from "../sdk/protocol/limits.ts";

const MiB = 1024 * 1024;

/** What one gateway and one socket may take up. Tests lower some of them. */
export interface Bounds {
  readonly connectionsMax: number;
  /** Calls of one socket that have not been answered yet. */
  readonly inFlightCallsMax: number;
  /**
   * Reads that may be large and are under way at once; the others wait. More of them only take the
   * processor from each other and from everybody else: one thread makes all answers.
   */
  readonly gatewayReadsMax: number;
  /** Of these, the reads of one connection. */
  readonly readsMax: number;
  /** Reads of one row that are under way at once; it may hold a MiB, so a thousand are too many. */
  readonly gatewaySingleReadsMax: number;
  /** Of these, the reads of one connection. */
  readonly singleReadsMax: number;
  readonly subscriptionsMax: number;
  readonly workersMax: number;
  /** Text that waits for one reader. Above it, subscriptions end as `lagged`. */
  readonly behindBytesMax: number;
  /** A reader that is behind must take `behindBytesMax` in this time, or is closed. */
  readonly behindMs: number;
  /** Text that waits for one reader, in all. Above it, the socket is closed at once. */
  readonly waitingBytesMax: number;
  readonly answerBytesMax: number;
  readonly pingMs: number;
  /** For calls that do not wait by request; those get their `waitMs` on top. */
  readonly callDeadlineMs: number;
  readonly drainMs: number;
  /** From our close frame to the peer's, then the socket is cut. */
  readonly closeMs: number;
}

export const defaultBounds: Bounds = {
  connectionsMax: 10_000,
  inFlightCallsMax: 1000,
  gatewayReadsMax: 2,
  readsMax: 1,
  gatewaySingleReadsMax: 16,
  singleReadsMax: 8,
  subscriptionsMax: 1000,
  workersMax: 100,
  behindBytesMax: 1 * MiB,
  behindMs: 10_000,
  waitingBytesMax: 8 * MiB,
  answerBytesMax: limits.frameToClientBytesMax,
  pingMs: 20_000,
  callDeadlineMs: 30_000,
  drainMs: 10_000,
  closeMs: 2_000,
};

/**
 * A payload of `depthMax` levels still fits a frame: batch, message, params and at most five
 * members of an envelope (a graph's task, an error's cause …) stand around it.
 */
export const frameDepthMax = limits.depthMax + 8;
