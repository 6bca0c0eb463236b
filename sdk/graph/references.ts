import { KantokuError } from "../errors.ts";
import { limits } from "../protocol/limits.ts";
import { type Origin, originOf } from "./origin.ts";
import { toPointer } from "./pointer.ts";

interface FoundReference {
  /** A JSON pointer. */
  readonly at: string;
  readonly from: Origin;
}

/** An input with null where references stood. */
export interface Opened {
  readonly data: unknown;
  readonly references: readonly FoundReference[];
}

const objectsUnmarkedMax = 1_000;

/** Whether a reference stands anywhere in plain objects and arrays. On the path of every task. */
export function holdsReference(input: unknown): boolean {
  if (input === null || (typeof input !== "object" && typeof input !== "function")) return false;
  try {
    return search(input, { objects: 0, seen: undefined }, 0);
  } catch {
    // A getter or a proxy's trap threw: who writes the input as JSON says so better.
    return false;
  }
}

/** Takes the references out of an input, which stays as it is. */
export function openInput(input: unknown): Opened {
  const references: FoundReference[] = [];
  const data = open(input, { references, path: [], without: new Set() });
  return { data, references };
}

interface Search {
  objects: number;
  seen: Set<object> | undefined;
}

function search(value: unknown, state: Search, depth: number): boolean {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return false;
  if (!isPlain(value)) return originOf(value) !== undefined;
  if (depth >= limits.depthMax || isSeenAgain(value, state)) return false;
  if (Array.isArray(value)) return value.some((item) => search(item, state, depth + 1));
  for (const key of Object.keys(value)) {
    if (search((value as Record<string, unknown>)[key], state, depth + 1)) return true;
  }
  return false;
}

function isSeenAgain(value: object, state: Search): boolean {
  state.objects++;
  if (state.objects <= objectsUnmarkedMax) return false;
  state.seen ??= new Set();
  if (state.seen.has(value)) return true;
  state.seen.add(value);
  return false;
}

interface Opening {
  readonly references: FoundReference[];
  readonly path: string[];
  readonly without: Set<object>;
}

function open(value: unknown, state: Opening): unknown {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return value;
  const { references, path, without } = state;
  const from = originOf(value);
  if (from !== undefined) {
    // A small web of shared objects can stand for 2^64 places.
    if (references.length >= limits.referencesMax) throw tooMany();
    references.push({ at: toPointer(path), from });
    return null;
  }
  if (!isPlain(value) || path.length >= limits.depthMax || without.has(value)) return value;
  const before = references.length;
  const entries = Object.entries(value).map(([key, member]): [string, unknown] => {
    path.push(key);
    const opened = open(member, state);
    path.pop();
    return [key, opened];
  });
  if (references.length > before) {
    return Array.isArray(value) ? entries.map(([, item]) => item) : Object.fromEntries(entries);
  }
  without.add(value);
  return value;
}

function isPlain(value: object): boolean {
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function tooMany(): KantokuError {
  return new KantokuError(
    "invalid-definition",
    `an input holds more than ${limits.referencesMax} references; join them in a task`,
  );
}
