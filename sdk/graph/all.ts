import { KantokuError } from "../errors.ts";
import { type Origin, originOf } from "./origin.ts";
import { toPending } from "./pending.ts";
import type { Pending, Reference, ReferredBy } from "./reference.ts";

type References = readonly Reference<unknown>[] | Readonly<Record<string, Reference<unknown>>>;

/**
 * Several values to come as one, under the same names or in the same order.
 * @throws KantokuError `invalid-definition` for a part that is there already
 */
export function all<const Parts extends References>(
  parts: Parts,
): Pending<{ -readonly [Key in keyof Parts]: ReferredBy<Parts[Key]> }> {
  const entries = Object.entries<Reference<unknown>>(parts as Record<string, Reference<unknown>>);
  if (entries.length === 0) throw invalid("needs something to join");
  const origins = entries.map(([key, part]): [string, Origin] => {
    const from = originOf(part);
    if (from === undefined) throw invalid(`takes calls and values to come; ${key} is neither`);
    return [key, from];
  });
  return toPending({
    kind: "all",
    parts: Array.isArray(parts) ? origins.map(([, from]) => from) : Object.fromEntries(origins),
  });
}

function invalid(fault: string): KantokuError {
  return new KantokuError("invalid-definition", `all() ${fault}`);
}
