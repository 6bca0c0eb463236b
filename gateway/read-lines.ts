import type { Bounds } from "./bounds.ts";
import { type ReadLine, Reads } from "./reads.ts";

/** Where one connection waits for its turn to read. */
export interface ReadLines {
  /** Pages and pictures, each of megabytes. */
  readonly large: ReadLine;
  /** What reads one row or two, which may hold a MiB all the same. */
  readonly single: ReadLine;
  /** Reads of everything there is, among the large ones: whoever asks, they share one place. */
  readonly everything: ReadLine;
}

/** The reads of one gateway; the function returned opens a connection's lines. */
export function createReadLines(bounds: Bounds): () => ReadLines {
  const large = new Reads({ most: bounds.gatewayReadsMax, mostOfOne: bounds.readsMax });
  const single = new Reads({
    most: bounds.gatewaySingleReadsMax,
    mostOfOne: bounds.singleReadsMax,
  });
  const everything = large.openLine(1);
  return () => ({ large: large.openLine(), single: single.openLine(), everything });
}
