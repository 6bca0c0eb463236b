import { KantokuError } from "../errors.ts";
import { describe, type Origin, origin } from "./origin.ts";
import { sourceOf } from "./preprocessor.ts";
import type { Pending } from "./reference.ts";

const inspected = Symbol.for("nodejs.util.inspect.custom");

// Not a plain object's prototype: what takes data refuses it.
class PendingValue {
  readonly [origin]: Origin;

  constructor(from: Origin) {
    this[origin] = from;
  }

  [inspected](): string {
    return `[${describe(this[origin])}]`;
  }
}

const handler: ProxyHandler<{ readonly [origin]: Origin }> = {
  get(target, key) {
    if (key === Symbol.toPrimitive || key === "toJSON") return refuser(target[origin]);
    // Nothing that may be awaited is one: `then` stays undefined.
    if (typeof key === "symbol" || key === "then") return Reflect.get(target, key);
    return pick(target[origin], key);
  },
  has(target, key) {
    return typeof key === "symbol" ? Reflect.has(target, key) : refuser(target[origin])();
  },
  ownKeys(target) {
    return refuser(target[origin])();
  },
  set: () => false,
  defineProperty: () => false,
  deleteProperty: () => false,
};

export function toPending<Value>(from: Origin): Pending<Value> {
  return new Proxy(new PendingValue(from), handler) as unknown as Pending<Value>;
}

export function reshaped<Result>(of: Origin, reshape: (value: never) => Result): Pending<Result> {
  return toPending({ kind: "map", of, preprocessor: sourceOf(reshape) });
}

function pick(of: Origin, key: string): unknown {
  const picked: Origin =
    of.kind === "path"
      ? { kind: "path", of: of.of, keys: [...of.keys, key] }
      : { kind: "path", of, keys: [key] };
  if (key !== "map") return toPending(picked);
  // A field may be called map: used as a value it is the field, called it is the method.
  const map = (reshape: (value: never) => unknown) => reshaped(of, reshape);
  const inspect = () => `[${describe(picked)}]`;
  return new Proxy(Object.assign(map, { [origin]: picked, [inspected]: inspect }), handler);
}

function refuser(from: Origin): () => never {
  return () => {
    throw new KantokuError(
      "invalid-definition",
      `${describe(from)} is not known yet: give it to a call as it is, or reshape it with .map()`,
    );
  };
}
