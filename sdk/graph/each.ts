import type { Call } from "../call.ts";
import { KantokuError } from "../errors.ts";
import { makeCall } from "./made-call.ts";
import { describe, originOf } from "./origin.ts";
import { toPending } from "./pending.ts";
import type { Pending, Reference } from "./reference.ts";
import { type Scope, within } from "./scope.ts";
import { isCall } from "./traits.ts";
import { faultOfResult, toCall } from "./value.ts";

export interface EachOptions {
  /** So many items are under way at once, at most. */
  readonly limit?: number;
}

/**
 * The tasks of `body`, once for each item; the output is the list of their outputs, in the items'
 * order. The body is called once, here, with an item to come. Calls that it makes run for each item;
 * calls made outside run once.
 * @throws KantokuError `invalid-definition`
 */
export function each<Item, Output>(
  items: Reference<readonly Item[]> | readonly (Item | Reference<Item>)[],
  body: (item: Pending<Item>) => Reference<Output>,
  { limit }: EachOptions = {},
): Call<Output[]> {
  const from = originOf(items);
  const scope: Scope = { given: "item", label: `each(${from ? describe(from) : "[…]"})` };
  if (from === undefined && !Array.isArray(items)) throw invalid(scope, "its items are no list");
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0)) {
    throw invalid(scope, "its limit must be a whole number above 0");
  }
  const result = within(scope, () => toCall(body(toPending<Item>({ kind: "given", scope }))));
  if (!isCall(result)) throw invalid(scope, faultOfResult(result));
  const plan = { scope, result, ...(limit !== undefined && { limit }) };
  return makeCall({ definition: "each" }, { items }, { each: plan });
}

function invalid({ label }: Scope, fault: string): KantokuError {
  return new KantokuError("invalid-definition", `${label}: ${fault}`);
}
