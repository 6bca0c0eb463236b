import type { AnyCall, CallData, CallOptions } from "../call.ts";
import type { FailurePolicy } from "../protocol/graph.ts";
import type { Origin } from "./origin.ts";
import type { AnyPipeline } from "./pipeline.ts";
import type { Scope } from "./scope.ts";

/** What a call is beyond a definition and an input. */
export interface Traits {
  /** The body that it was made in. */
  readonly scope?: Scope;
  readonly after?: readonly AnyCall[];
  readonly when?: Choice;
  readonly onFailure?: FailurePolicy;
  readonly options?: CallOptions;
  /** The graph that is copied for each of `input.items`. */
  readonly each?: EachPlan;
  /** Nobody does it: its input is its output. */
  readonly isValue?: true;
  /** Its definition, where that is a pipeline built in code. */
  readonly pipeline?: AnyPipeline;
}

interface Choice {
  readonly from: Origin;
  readonly is?: { readonly equals: unknown };
}

interface EachPlan {
  readonly scope: Scope;
  readonly result: AnyCall;
  readonly limit?: number;
}

/** Shared by all copies of the package. */
export const traits: unique symbol = Symbol.for("kantoku.traits");

const none: Traits = {};

/** Those of a call made of plain data are none. */
export function traitsOf(call: CallData): Traits {
  return (call as { readonly [traits]?: Traits })[traits] ?? none;
}

export function isCall(value: unknown): value is AnyCall {
  return typeof value === "object" && value !== null && traits in value;
}
