import type { AnyCall } from "../call.ts";
import type { Opened } from "./references.ts";
import type { Scope } from "./scope.ts";

/** One graph in the making: the whole, or the inner one of an `each`. */
export interface Frame {
  /** Undefined where a client submits. */
  readonly scope: Scope | undefined;
  /** None around the whole, nor around a pipeline, which is data by itself. */
  readonly outer: Frame | undefined;
  /** Calls that the walk has come to; those that it has left, too, are in `calls`. */
  readonly entered: Set<AnyCall>;
  /** Its calls in an order in which they could run. */
  readonly calls: Map<AnyCall, Opened>;
  /** Those of its calls that are an `each`. */
  readonly inner: Map<AnyCall, Frame>;
}

export function openFrame(scope: Scope | undefined, outer?: Frame): Frame {
  return { scope, outer, entered: new Set(), calls: new Map(), inner: new Map() };
}

/** The frame that a scope's things belong to, seen from a frame within; undefined: out of reach. */
export function frameOf(scope: Scope | undefined, from: Frame): Frame | undefined {
  for (let frame: Frame | undefined = from; frame !== undefined; frame = frame.outer) {
    // A pipeline takes in what was made outside of all bodies: a call is only a description.
    if (frame.scope === scope || (scope === undefined && frame.outer === undefined)) return frame;
  }
  return undefined;
}
