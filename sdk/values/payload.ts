import { KantokuError } from "../errors.ts";
import { limits } from "../protocol/limits.ts";

interface Encoding {
  readonly at: string;
  /** Keys and indexes from the root to the value at hand; entries past the current depth are stale. */
  readonly path: (string | number)[];
  readonly charsMax: number;
  chars: number;
}

// What a string may not hold as it stands inside quotes: escapes, and surrogates to look at closely.
const notVerbatim = /["\\\p{Cc}\ud800-\udfff]/v;
const plainKey = /^[A-Za-z_$][A-Za-z0-9_$]*$/;
const pathKeyCharsMax = 60;
// A small graph of shared objects can stand for 2^64 values: give up here instead of writing them.
const giveUpFactor = 4;
const utf8BytesPerCharMax = 3;
const textEncoder = new TextEncoder();

/**
 * The JSON text of a value, or a KantokuError: `invalid-params` with `data.path` for what JSON or
 * the database would change or refuse, `too-large` with `data.limit` and `data.bytes` (a lower
 * bound beyond four times the limit). Properties that are `undefined` count as absent, a top-level
 * `undefined` is `null`, `-0` is `0`, symbol keys are left out, `toJSON` is not called. `at` names the
 * value in messages.
 */
export function encodePayload(value: unknown, options: { at: string; bytesMax?: number }): string {
  const bytesMax = options.bytesMax ?? limits.payloadBytesMax;
  const encoding = { at: options.at, path: [], charsMax: bytesMax * giveUpFactor, chars: 0 };
  const text = encodeGuarded(value, encoding);
  if (text.length * utf8BytesPerCharMax <= bytesMax) return text;
  const bytes = textEncoder.encode(text).length;
  if (bytes > bytesMax) throw tooLarge(options.at, { limit: bytesMax, bytes });
  return text;
}

function encodeGuarded(value: unknown, encoding: Encoding): string {
  try {
    return value === undefined ? "null" : encodeValue(value, encoding, 0);
  } catch (error) {
    if (error instanceof KantokuError) throw error;
    // A getter or a proxy's trap threw: the author's code, not ours.
    throw new KantokuError("invalid-params", `${encoding.at} cannot be read`, {
      data: { path: encoding.at },
      cause: error,
    });
  }
}

// One pass that checks and writes: a getter or a proxy cannot show the check one value and the
// writer another, and nobody's toJSON, not even a polluted prototype's, gets a say.
function encodeValue(value: unknown, encoding: Encoding, depth: number): string {
  switch (typeof value) {
    case "string":
      return encodeString(value, encoding, depth);
    case "number":
      if (!(value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER)) {
        throw refused(encoding, depth, faultOfNumber(value));
      }
      return `${value}`;
    case "boolean":
      return value ? "true" : "false";
    case "object":
      if (value === null) return "null";
      if (depth >= limits.depthMax) throw tooDeep(encoding, depth);
      return Array.isArray(value)
        ? encodeArray(value, encoding, depth)
        : encodeObject(value, encoding, depth);
    default:
      throw refused(encoding, depth, `${describeType(value)} is not a JSON value`);
  }
}

function encodeArray(values: readonly unknown[], encoding: Encoding, depth: number): string {
  let text = "[";
  for (let index = 0; index < values.length; index++) {
    encoding.path[depth] = index;
    if (index > 0) text += ",";
    text += encodeValue(values[index], encoding, depth + 1);
    spend(encoding, 2);
  }
  return `${text}]`;
}

function encodeObject(object: object, encoding: Encoding, depth: number): string {
  if (!isPlain(object)) {
    throw refused(encoding, depth, `${describeInstance(object)} is not a JSON value`);
  }
  let text = "{";
  for (const key of Object.keys(object)) {
    const value: unknown = (object as Readonly<Record<string, unknown>>)[key];
    if (value === undefined) continue;
    encoding.path[depth] = key;
    text += text.length > 1 ? "," : "";
    text += `${encodeString(key, encoding, depth + 1)}:${encodeValue(value, encoding, depth + 1)}`;
    spend(encoding, 2);
  }
  return `${text}}`;
}

function encodeString(value: string, encoding: Encoding, depth: number): string {
  spend(encoding, value.length);
  if (!notVerbatim.test(value)) return `"${value}"`;
  if (!value.isWellFormed()) throw refused(encoding, depth, "holds a lone surrogate");
  if (value.includes("\0")) throw refused(encoding, depth, "holds a NUL character");
  return JSON.stringify(value);
}

function spend(encoding: Encoding, chars: number): void {
  encoding.chars += chars;
  if (encoding.chars <= encoding.charsMax) return;
  throw tooLarge(encoding.at, {
    limit: encoding.charsMax / giveUpFactor,
    bytes: encoding.chars,
  });
}

// The second test admits plain objects of other realms (vm contexts, frames).
function isPlain(object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype === Object.prototype || prototype === null) return true;
  return (
    Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, "isPrototypeOf")
  );
}

function faultOfNumber(value: number): string {
  if (!Number.isFinite(value)) return `${value} is not a JSON value`;
  return `${value} is an integer beyond ±(2^53 − 1); write it as a string`;
}

function describeType(value: unknown): string {
  return value === undefined ? "undefined" : `a ${typeof value}`;
}

function describeInstance(object: object): string {
  const prototype: unknown = Object.getPrototypeOf(object);
  const holder = Object.getOwnPropertyDescriptor(prototype ?? {}, "constructor")?.value as unknown;
  if (typeof holder !== "function") return "an instance of a class";
  const name = Object.getOwnPropertyDescriptor(holder, "name")?.value as unknown;
  return typeof name === "string" && plainKey.test(name)
    ? `an instance of ${name.slice(0, pathKeyCharsMax)}`
    : "an instance of a class";
}

function tooDeep(encoding: Encoding, depth: number): KantokuError {
  return refused(
    encoding,
    depth,
    `nests deeper than ${limits.depthMax} levels, or refers to itself`,
  );
}

function refused(encoding: Encoding, depth: number, fault: string): KantokuError {
  const path = writePath(encoding.at, encoding.path.slice(0, depth));
  return new KantokuError("invalid-params", `${path}: ${fault}`, { data: { path, fault } });
}

function tooLarge(at: string, data: { limit: number; bytes: number }): KantokuError {
  return new KantokuError("too-large", `${at} is ${data.bytes} bytes; the limit is ${data.limit}`, {
    data: { path: at, ...data },
  });
}

function writePath(at: string, path: readonly (string | number)[]): string {
  let written = at;
  for (const key of path) {
    if (typeof key === "number") written += `[${key}]`;
    else if (plainKey.test(key) && key.length <= pathKeyCharsMax) written += `.${key}`;
    else written += `[${JSON.stringify(key.slice(0, pathKeyCharsMax))}]`;
  }
  return written;
}
