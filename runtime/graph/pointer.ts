import { isKantokuError, KantokuError } from "../../sdk/errors.ts";
import { limits } from "../../sdk/protocol/limits.ts";

/**
 * JSON pointers (RFC 6901), forgiving: what is not there is null, what is missing is made. But a
 * list grows only at its end: one pointer could make it four thousand million places long.
 */

const indexPattern = /^(0|[1-9][0-9]*)$/;

function parsePointer(pointer: string): string[] {
  if (pointer === "") return [];
  return pointer
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** No deeper than a value may be: beyond that it could only ever point at nothing. */
export function isPointer(text: unknown): text is string {
  if (typeof text !== "string" || text.split("/").length - 1 > limits.depthMax) return false;
  return text === "" || /^(\/([^~/]|~[01])*)+$/u.test(text);
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

/** A value and where it goes. */
interface Placed {
  readonly at: string;
  readonly value: unknown;
}

/**
 * A copy of the value with others at their pointers, in turn; what lies on the way is copied once,
 * however many pointers pass it, and the rest is shared.
 * @throws KantokuError `invalid-params` when a list on the way has no such place
 */
export function putAll(value: unknown, placed: readonly Placed[]): unknown {
  const copies = new Set<object>();
  return placed.reduce((whole, one) => put(whole, one, copies), value);
}

/** Which of these pointers have no place in the value, whatever is put at them, and why. */
export function misplacedIn(
  value: unknown,
  pointers: readonly string[],
): { readonly index: number; readonly message: string }[] {
  const copies = new Set<object>();
  let whole = value;
  return pointers.flatMap((at, index) => {
    try {
      whole = put(whole, { at, value: null }, copies);
      return [];
    } catch (error) {
      if (!isKantokuError(error)) throw error;
      return [{ index, message: error.message }];
    }
  });
}

function put(value: unknown, { at, value: given }: Placed, copies: Set<object>): unknown {
  const parts = parsePointer(at);
  const last = parts.pop();
  if (last === undefined) return given;
  const whole = ownCopy(value, copies);
  let holder = whole;
  for (const part of parts) {
    const next = ownCopy(memberOf(holder, part), copies);
    setMember(holder, part, next);
    holder = next;
  }
  setMember(holder, last, given);
  return whole;
}

type Holder = unknown[] | Record<string, unknown>;

function ownCopy(value: unknown, copies: Set<object>): Holder {
  if (typeof value === "object" && value !== null && copies.has(value)) return value as Holder;
  const copy = Array.isArray(value) ? [...value] : { ...(isObject(value) ? value : {}) };
  copies.add(copy);
  return copy;
}

function memberOf(holder: Holder, part: string): unknown {
  if (Array.isArray(holder)) return holder[placeIn(holder, part)];
  return Object.hasOwn(holder, part) ? holder[part] : null;
}

function setMember(holder: Holder, part: string, value: unknown): void {
  if (Array.isArray(holder)) holder[placeIn(holder, part)] = value;
  // Defined, not assigned: a member called __proto__ is a member.
  else {
    const rest = { enumerable: true, configurable: true, writable: true };
    Object.defineProperty(holder, part, { value, ...rest });
  }
}

function placeIn(list: readonly unknown[], part: string): number {
  if (part === "-" || part === `${list.length}`) return list.length;
  if (indexPattern.test(part) && Number(part) < list.length) return Number(part);
  throw new KantokuError("invalid-params", `a list of ${list.length} has no place ${part}`);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
