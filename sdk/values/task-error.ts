import { KantokuError } from "../errors.ts";
import { limits } from "../protocol/limits.ts";
import type { TaskError } from "../protocol/task.ts";

const stackBytesMax = 8 * 1024;
const labelBytesMax = 200;
// A message of 50 MB stands at the head of its stack too; the frames are at the end.
const stackTailChars = 64 * 1024;
const prototypesMax = 10;
const ellipsis = "…";
const replacement = "\ufffd";
const textEncoder = new TextEncoder();
const v8Frame = /^\s+at /;
const otherFrame = /@/;
// V8 makes `stack` an accessor of its own; it is the only getter that is ever called here.
const readEngineStack = findProperty(new Error(), "stack")?.get;

/**
 * Whatever was thrown, as plain data that is safe to store and send: at most 16 KiB, message 1 KiB,
 * 50 frames, 5 causes. Calls none of the thrown object's code (a proxy's traps excepted, whose
 * throws are survived). `code` and `retryable` are carried when they are own plain properties.
 */
export function toTaskError(thrown: unknown): TaskError {
  const chain: TaskErrorLevel[] = [];
  const seen = new Set<unknown>();
  let current: unknown = thrown;
  while (chain.length <= limits.errorCauseDepthMax && !seen.has(current)) {
    seen.add(current);
    chain.push(toLevel(current));
    const cause = isObject(current) ? readOwn(current, "cause") : undefined;
    if (cause === undefined || cause === null) break;
    current = cause;
  }
  return fitted(chain);
}

/** An error that came from elsewhere as data, within the same bounds. */
export function boundTaskError(error: TaskError, depth = 0): TaskError {
  const { cause, stack, message, ...rest } = error;
  return {
    ...rest,
    message: toMessage(message),
    ...(stack === undefined ? {} : { stack: firstLines(stack) }),
    ...(cause === undefined || depth >= limits.errorCauseDepthMax
      ? {}
      : { cause: boundTaskError(cause, depth + 1) }),
  };
}

function firstLines(stack: string): string {
  return stack.split("\n", limits.errorFramesMax).join("\n");
}

/**
 * The error a caller gets for a task that failed: code `task-failed`, `data {task, error}`, and as
 * its cause the author's error, rebuilt.
 */
export function toTaskFailure(failed: { task: string; error: TaskError }): KantokuError {
  const { name, message } = failed.error;
  return new KantokuError("task-failed", `task ${failed.task} failed: ${name}: ${message}`, {
    data: { task: failed.task, error: failed.error },
    cause: fromTaskError(failed.error),
  });
}

/** An Error that looks like the author's: name, message, frames, code and causes; never its class. */
export function fromTaskError(error: TaskError): Error {
  const rebuilt = new Error(error.message, error.cause && { cause: fromTaskError(error.cause) });
  define(rebuilt, "name", error.name);
  const heading = `${error.name}: ${error.message}`;
  define(rebuilt, "stack", error.stack === undefined ? heading : `${heading}\n${error.stack}`);
  if (error.code !== undefined) define(rebuilt, "code", error.code);
  if (error.retryable !== undefined) define(rebuilt, "retryable", error.retryable);
  if (error.data !== undefined) define(rebuilt, "data", error.data);
  return rebuilt;
}

type TaskErrorLevel = { -readonly [Key in keyof Omit<TaskError, "cause">]: TaskError[Key] };

function toLevel(thrown: unknown): TaskErrorLevel {
  if (!isObject(thrown)) return { name: "NonError", message: toMessage(describePrimitive(thrown)) };
  const message = readInherited(thrown, "message");
  const level: TaskErrorLevel = {
    name: toLabel(readName(thrown)),
    message: toMessage(
      typeof message === "string" ? message : "an object without a message was thrown",
    ),
  };
  const code = readOwn(thrown, "code");
  if (typeof code === "string" || typeof code === "number") level.code = toLabel(`${code}`);
  const retryable = readOwn(thrown, "retryable");
  if (typeof retryable === "boolean") level.retryable = retryable;
  const stack = readStack(thrown);
  if (stack !== undefined) level.stack = stack;
  return level;
}

// Stacks of the deepest causes go first, then the causes: what stands at the top says most.
function fitted(chain: TaskErrorLevel[]): TaskError {
  for (;;) {
    const error = linked(chain);
    if (utf8Bytes(JSON.stringify(error)) <= limits.errorBytesMax) return error;
    const deepest = chain.findLast((level) => level.stack !== undefined);
    if (deepest) delete deepest.stack;
    else chain.pop();
  }
}

function linked(chain: readonly TaskErrorLevel[]): TaskError {
  let error: TaskError = { name: "Error", message: "" };
  for (const [index, level] of chain.toReversed().entries()) {
    error = index === 0 ? { ...level } : { ...level, cause: error };
  }
  return error;
}

function describePrimitive(thrown: unknown): string {
  return typeof thrown === "string" ? thrown : String(thrown);
}

function readName(thrown: object): string {
  const name = readInherited(thrown, "name");
  if (typeof name === "string" && name !== "" && name !== "Error") return name;
  // A subclass that does not set its name is still called by its class.
  const maker = readInherited(thrown, "constructor");
  const className = typeof maker === "function" ? readOwn(maker, "name") : undefined;
  return typeof className === "string" && className !== "" ? className : "Error";
}

function readStack(thrown: object): string | undefined {
  const property = findProperty(thrown, "stack");
  const stack =
    property?.get === undefined ? property?.value : callEngineGetter(property.get, thrown);
  if (typeof stack !== "string") return undefined;
  const lines = stack.slice(-stackTailChars).split("\n");
  const v8Frames = lines.filter((line) => v8Frame.test(line));
  const found = v8Frames.length > 0 ? v8Frames : lines.filter((line) => otherFrame.test(line));
  const frames = found.slice(0, limits.errorFramesMax);
  return frames.length === 0 ? undefined : truncate(clean(frames.join("\n")), stackBytesMax);
}

function callEngineGetter(getter: () => unknown, thrown: object): unknown {
  if (getter !== readEngineStack) return undefined;
  try {
    return Reflect.apply(getter, thrown, []);
  } catch {
    // Error.prepareStackTrace is the author's, and may throw: a stack is not worth an error.
    return undefined;
  }
}

function readOwn(object: object, key: string): unknown {
  try {
    return Object.getOwnPropertyDescriptor(object, key)?.value;
  } catch {
    return undefined; // A proxy's trap threw.
  }
}

function readInherited(object: object, key: string): unknown {
  return findProperty(object, key)?.value;
}

function findProperty(object: object, key: string): PropertyDescriptor | undefined {
  try {
    let holder: object | null = object;
    for (let level = 0; holder !== null && level < prototypesMax; level++) {
      const property = Object.getOwnPropertyDescriptor(holder, key);
      if (property) return property;
      holder = Object.getPrototypeOf(holder) as object | null;
    }
  } catch {
    // A proxy's trap threw: the property counts as absent.
  }
  return undefined;
}

function isObject(thrown: unknown): thrown is object {
  return (typeof thrown === "object" && thrown !== null) || typeof thrown === "function";
}

/** A text as an error's message may be: storable, and no longer than one. */
export function toMessage(text: string): string {
  return truncate(
    clean(text.slice(0, limits.errorMessageBytesMax + 1)),
    limits.errorMessageBytesMax,
  );
}

/** The same for its name, or its code. */
export function toLabel(text: string): string {
  return truncate(clean(text.slice(0, labelBytesMax + 1)), labelBytesMax);
}

function clean(text: string): string {
  return text.toWellFormed().replaceAll("\0", replacement);
}

function truncate(text: string, bytesMax: number): string {
  if (utf8Bytes(text) <= bytesMax) return text;
  const room = new Uint8Array(bytesMax - utf8Bytes(ellipsis));
  return text.slice(0, textEncoder.encodeInto(text, room).read) + ellipsis;
}

function utf8Bytes(text: string): number {
  return textEncoder.encode(text).length;
}

function define(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, configurable: true, writable: true });
}
