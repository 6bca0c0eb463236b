import type { AnyCall } from "../call.ts";
import { limits, namePattern } from "../protocol/limits.ts";
import type { Frame } from "./frame.ts";
import { traitsOf } from "./traits.ts";

/** The names that authors gave, and for the rest their definitions', numbered from the second on. */
export function nameCalls({ calls }: Frame, problems: string[]): ReadonlyMap<AnyCall, string> {
  const names = new Map<AnyCall, string>();
  const taken = new Set<string>();
  for (const call of calls.keys()) {
    const name = traitsOf(call).options?.name;
    if (name === undefined) continue;
    if (!namePattern.test(name)) problems.push(`${JSON.stringify(name)} is not a name for a task`);
    if (taken.has(name)) problems.push(`two tasks have the name ${name}`);
    taken.add(name);
    names.set(call, name);
  }
  const next = numbering(taken);
  for (const call of calls.keys()) if (!names.has(call)) names.set(call, next(call.definition));
  return names;
}

/** Gives every name once: `x`, `x-2`, `x-3` …, of a long one so much that the number fits. */
export function numbering(taken = new Set<string>()): (base: string) => string {
  const counts = new Map<string, number>();
  return (base) => {
    for (let count = (counts.get(base) ?? 0) + 1; ; count++) {
      const name = count === 1 ? base : numbered(base, count);
      if (taken.has(name)) continue;
      counts.set(base, count);
      taken.add(name);
      return name;
    }
  };
}

function numbered(base: string, count: number): string {
  const suffix = `-${count}`;
  // Keys of outputs are named here, too, and may be of letters that take two places.
  const head = base.slice(0, limits.nameLengthMax - suffix.length).toWellFormed();
  return `${head}${suffix}`;
}
