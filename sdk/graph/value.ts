import type { CallData } from "../call.ts";
import { makeCall } from "./made-call.ts";
import { originOf } from "./origin.ts";
import type { Reference } from "./reference.ts";
import { isCall } from "./traits.ts";

/** What can be run: a call, the data of one, or a value to come. */
export type Runnable<Output = unknown> = CallData<Output> | Reference<Output>;

/** Why what a body gave is not its result. */
export function faultOfResult(given: unknown): string {
  const isObject = typeof given === "object" && given !== null;
  if (isObject && "then" in given) {
    return "its body must give a call or a value to come: it is called once, and cannot wait";
  }
  const fault = "its body must give a call or a value to come";
  return isObject ? `${fault}; join several with all()` : fault;
}

/** A value to come as a call whose output it is; a call, or the data of one, as it stands. */
export function toCall<Output>(given: Runnable<Output>): CallData<Output> {
  if (isCall(given) || originOf(given) === undefined) return given as CallData<Output>;
  return makeCall<Output>({ definition: "value" }, given, { isValue: true });
}
