import { KantokuError } from "../../sdk/errors.ts";

/**
 * JSON pointers (RFC 6901), forgiving: what is not there is null, what is missing is made. But a
 * list grows only at its end: one pointer could make it four thousand million places long.
 */

const indexPattern = /^(0|[1-9][0-9]*)$/;

export function parsePointer(pointer: string): readonly string[] {
  if (pointer === "") return [];
  return pointer
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

export function isPointer(text: unknown): text is string {
  return typeof text === "string" && (text === "" || /^(\/([^~/]|~[01])*)+$/u.test(text));
}

export function pick(value: unknown, pointer: string): unknown {
  let found = value;
  for (const part of parsePointer(pointer)) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, part)) return null;
    if (Array.isArray(found) && !indexPattern.test(part)) return null;
    found = (found as Record<string, unknown>)[part];
  }
  return found ?? null;
}

/**
 * A copy of the value with another one at the pointer; the way there is copied, not the rest.
 * @throws KantokuError `invalid-params` when a list on the way has no such place
 */
export function put(value: unknown, pointer: string, given: unknown): unknown {
  return putAt(value, parsePointer(pointer), given);
}

function putAt(value: unknown, [first, ...rest]: readonly string[], given: unknown): unknown {
  if (first === undefined) return given;
  if (Array.isArray(value)) {
    const index = first === "-" || first === `${value.length}` ? value.length : Number(first);
    if (index !== value.length && !(indexPattern.test(first) && index < value.length)) {
      throw new KantokuError("invalid-params", `a list of ${value.length} has no place ${first}`);
    }
    return Object.assign([...value], { [index]: putAt(value[index], rest, given) });
  }
  const object = typeof value === "object" && value !== null ? value : {};
  const before = Object.hasOwn(object, first) ? (object as Record<string, unknown>)[first] : null;
  // Defined, not assigned: a member called __proto__ is a member.
  const copy = { ...object };
  Object.defineProperty(copy, first, {
    value: putAt(before, rest, given),
    enumerable: true,
    configurable: true,
    writable: true,
  });
  return copy;
}
