// This function travels as its own text into the sandbox and runs there: it may name nothing but its
// parameters and ECMAScript's globals.

type Make = () => (input: unknown) => unknown;

/** What a call comes back with: the output's JSON text, or why there is none. */
type GuestAnswer = { output: string } | { fault: [kind: string, name: string, message: string] };

/**
 * Makes the function through which every call goes: it reads the input, makes a fresh function with
 * `make`, so that nothing captured outlives the call, and writes what that returns. The writer
 * follows sdk/values/payload.ts: one pass that checks and writes, so that a getter or a proxy cannot
 * show the check one value and the writer another; toJSON is not called.
 */
export function makeBridge(limits: {
  depthMax: number;
  charsMax: number;
  messageCharsMax: number;
}) {
  const plainKey = /^[A-Za-z_$][A-Za-z0-9_$]{0,60}$/;

  const tooLarge = `is larger than ${limits.charsMax} bytes`;

  class Refusal {
    readonly path: string[] = [];
    readonly fault: string;
    constructor(fault: string) {
      this.fault = fault;
    }
  }
  let chars = 0;

  function spend(count: number): void {
    chars += count;
    if (chars > limits.charsMax) throw new Refusal(tooLarge);
  }

  function write(value: unknown, depth: number): string {
    switch (typeof value) {
      case "string":
        return writeString(value);
      case "number":
        if (!(value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER)) {
          throw new Refusal(
            Number.isFinite(value)
              ? `${value} is an integer beyond ±(2^53 − 1); write it as a string`
              : `${value} is not a JSON value`,
          );
        }
        return `${value}`;
      case "boolean":
        return value ? "true" : "false";
      case "undefined":
        throw new Refusal("undefined is not a JSON value");
      case "object":
        if (value === null) return "null";
        if (depth >= limits.depthMax) {
          throw new Refusal(`nests deeper than ${limits.depthMax} levels, or refers to itself`);
        }
        return Array.isArray(value) ? writeArray(value, depth) : writeObject(value, depth);
      default:
        throw new Refusal(`a ${typeof value} is not a JSON value`);
    }
  }

  function writeString(value: string): string {
    spend(value.length);
    if (!value.isWellFormed()) throw new Refusal("holds a lone surrogate");
    if (value.includes("\0")) throw new Refusal("holds a NUL character");
    return JSON.stringify(value);
  }

  function writeArray(values: readonly unknown[], depth: number): string {
    const { length } = values;
    // A digit and a comma each, at the least.
    if (length * 2 > limits.charsMax) throw new Refusal(tooLarge);
    let text = "[";
    let index = 0;
    try {
      for (; index < length; index++) {
        if (index > 0) text += ",";
        text += write(values[index], depth + 1);
        spend(2);
      }
    } catch (error) {
      throw placed(error, `[${index}]`);
    }
    return `${text}]`;
  }

  function writeObject(object: object, depth: number): string {
    const prototype: unknown = Reflect.getPrototypeOf(object);
    if (prototype !== Object.prototype && prototype !== null) {
      throw new Refusal(`${describe(prototype as object)} is not a JSON value`);
    }
    let text = "{";
    let key = "";
    try {
      for (key of Object.keys(object)) {
        const value = (object as Readonly<Record<string, unknown>>)[key];
        if (value === undefined) continue;
        if (text.length > 1) text += ",";
        text += `${writeString(key)}:${write(value, depth + 1)}`;
        spend(2);
      }
    } catch (error) {
      throw placed(error, plainKey.test(key) ? `.${key}` : `[${JSON.stringify(key.slice(0, 60))}]`);
    }
    return `${text}}`;
  }

  // The path gathers inside out, on the way up: a right output pays nothing for it.
  function placed(error: unknown, place: string): unknown {
    if (error instanceof Refusal && error.fault !== tooLarge) error.path.push(place);
    return error;
  }

  function describe(prototype: object): string {
    const holder = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value as unknown;
    if (typeof holder !== "function") return "an instance of a class";
    const name = Object.getOwnPropertyDescriptor(holder, "name")?.value as unknown;
    if (typeof name !== "string" || !plainKey.test(name)) return "an instance of a class";
    return `an instance of ${name}`;
  }

  function written(refusal: Refusal): string {
    return `output${refusal.path.toReversed().join("")}: ${refusal.fault}`;
  }

  function textOf(read: () => unknown, otherwise: string): string {
    try {
      const text = read();
      return typeof text === "string" ? text.slice(0, limits.messageCharsMax) : otherwise;
    } catch {
      return otherwise;
    }
  }

  function faultOf(kind: string, error: unknown): GuestAnswer {
    // quickjs throws null when no memory is left for an error.
    if (error === null) return { fault: ["memory", "Error", "out of memory, or null was thrown"] };
    if (typeof error !== "object") {
      return { fault: [kind, "Error", textOf(() => `threw ${String(error)}`, "threw a value")] };
    }
    const name = textOf(() => (error as Error).name, "Error");
    const message = textOf(() => (error as Error).message, "threw an object without a message");
    if (name === "InternalError" && message === "out of memory") kind = "memory";
    // JSON.parse calls it a SyntaxError.
    const isOwn = name === "InternalError" || name === "SyntaxError";
    if (isOwn && message === "stack overflow") kind = "stack";
    return { fault: [kind, name, message] };
  }

  function answer(make: Make, input: string): GuestAnswer {
    let output: unknown;
    try {
      output = make()(JSON.parse(input));
    } catch (error) {
      return faultOf("threw", error);
    }
    chars = 0;
    try {
      return { output: write(output, 0) };
    } catch (error) {
      if (error instanceof Refusal) return { fault: ["output", "OutputError", written(error)] };
      // A getter or a proxy's trap threw.
      return faultOf("output", error);
    }
  }

  return (make: Make, input: string): string => {
    const answered = answer(make, input);
    return "output" in answered ? `=${answered.output}` : `!${JSON.stringify(answered.fault)}`;
  };
}
