// This function travels as its own text into the sandbox and runs there: it may name nothing but its
// parameters and ECMAScript's globals.

/**
 * Turns a fresh realm into one that keeps nothing from one call to the next: what is not among
 * `allowed` is gone, what is left is frozen, and no function makes code from text.
 */
export function sealRealm(allowed: readonly string[]): void {
  const globals = globalThis as unknown as Record<string, unknown>;
  const hidden = [
    Object.getPrototypeOf(function* () {}),
    Object.getPrototypeOf(async () => {}),
    Object.getPrototypeOf(async function* () {}),
    Object.getPrototypeOf(() => {}),
  ] as object[];
  const helpers = [].values() as unknown as { map(each: unknown): object };
  const { from, concat } = globals["Iterator"] as {
    from(next: object): object;
    concat?(...all: object[]): object;
  };
  hidden.push([].values(), ""[Symbol.iterator](), "".matchAll(/a/g), helpers.map(String));
  hidden.push(new Map().entries(), new Set().entries(), from({ next: String }), concat?.([]) ?? []);
  const refuse = () => {
    throw new TypeError("a preprocessor cannot make code from text");
  };
  for (const prototype of hidden.slice(0, 4)) {
    Object.defineProperty(prototype, "constructor", { value: refuse });
  }
  for (const name of Object.getOwnPropertyNames(globals)) {
    // Gone is not out of reach: every async function's promise leads to Promise.prototype.
    if (typeof globals[name] === "function") hidden.push(globals[name]);
    if (!allowed.includes(name)) delete globals[name];
  }
  delete (Math as { random?: unknown }).random;

  // A frozen data property also forbids the same name on whatever inherits from it: a tally of
  // words could not count "constructor", an error could not take a name of its own.
  const overridable: object[] = [Object.prototype, hidden[3] as object];
  for (const name of allowed) {
    const holder = globals[name] as { prototype?: object };
    if (holder?.prototype instanceof Error || holder === Error) {
      overridable.push(holder.prototype as object);
    }
  }
  for (const prototype of overridable) {
    for (const key of Reflect.ownKeys(prototype)) {
      const property = Object.getOwnPropertyDescriptor(prototype, key);
      if (property === undefined || !("value" in property) || !property.configurable) continue;
      const value: unknown = property.value;
      // From here on only the getter leads to it.
      hidden.push(value as object);
      Object.defineProperty(prototype, key, {
        get: () => value,
        set(this: object, own: unknown) {
          if (this === prototype) throw new TypeError(`${String(key)} is read-only`);
          Object.defineProperty(this, key, {
            value: own,
            writable: true,
            enumerable: true,
            configurable: true,
          });
        },
        enumerable: false,
        configurable: false,
      });
    }
  }

  const seen = new Set<unknown>();
  const pending: unknown[] = [globals, ...hidden];
  while (pending.length > 0) {
    const value = pending.pop();
    const isObject = (typeof value === "object" && value !== null) || typeof value === "function";
    if (!isObject || seen.has(value)) continue;
    seen.add(value);
    const keys = Reflect.ownKeys(value as object);
    // Most are methods, which have a name and a length and lead nowhere.
    if (typeof value !== "function" || keys.length > 2) {
      pending.push(Object.getPrototypeOf(value));
      for (const key of keys) {
        const property = Object.getOwnPropertyDescriptor(value as object, key);
        pending.push(property?.value, property?.get, property?.set);
      }
    }
    Object.freeze(value);
  }
}
