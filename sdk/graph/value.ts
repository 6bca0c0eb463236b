import type { CallData } from "../call.ts";
import { makeCall } from "./made-call.ts";
import { originOf } from "./origin.ts";
import type { Reference } from "./reference.ts";
import { isCall } from "./traits.ts";

/** What can be run: a call, the data of one, or a value to come. */
export type Runnable<Output = unknown> = CallData<Output> | Reference<Output>;

/** A value to come as a call whose output it is; a call, or the data of one, as it stands. */
export function toCall<Output>(given: Runnable<Output>): CallData<Output> {
  if (isCall(given) || originOf(given) === undefined) return given as CallData<Output>;
  return makeCall<Output>({ definition: "value" }, given, { isValue: true });
}
