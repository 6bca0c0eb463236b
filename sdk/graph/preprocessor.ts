import { KantokuError } from "../errors.ts";
import { limits } from "../protocol/limits.ts";

const nativeCode = /\{\s*\[native code\]\s*\}\s*$/;
const accessor = /^(?:get|set)\s+[^\s(]/;
const method = /^#?[\p{ID_Start}$_][\p{ID_Continue}$]*\s*(?=\()/u;
const computedName = /^["'[\d]/;
const textEncoder = new TextEncoder();

const faults: readonly [
  test: (source: string, reshape: (value: never) => unknown) => boolean,
  fault: string,
][] = [
  [(source) => nativeCode.test(source), "a built-in or bound function has no source"],
  [(_, reshape) => tagOf(reshape).startsWith("[object Async"), "it has to be synchronous"],
  [(_, reshape) => tagOf(reshape) === "[object GeneratorFunction]", "a generator is not one"],
  [(source) => /^class\b(?!\s*\()/.test(source), "a class is not one"],
  [(source, reshape) => isMethod(reshape) && accessor.test(source), "an accessor is not one"],
  [(source, reshape) => isMethod(reshape) && computedName.test(source), "its name is computed"],
  [
    (source) => textEncoder.encode(source).length > limits.preprocessorBytesMax,
    `its source is larger than ${limits.preprocessorBytesMax} bytes`,
  ],
];

/**
 * The text of a function that can stand by itself. What only a parser can tell, such as variables
 * of its surroundings, is checked where the graph is taken in.
 */
export function sourceOf(reshape: (value: never) => unknown): string {
  if (typeof reshape !== "function") throw refused(".map() takes a function");
  const source = Function.prototype.toString.call(reshape);
  const fault = faults.find(([test]) => test(source, reshape))?.[1];
  if (fault !== undefined) {
    throw refused(`${named(reshape)} cannot be a preprocessor: ${fault}; write (input) => …`);
  }
  return isMethod(reshape) ? source.replace(method, "function") : source;
}

// Arrows have no prototype, either, but none begins with a name and a bracket.
function isMethod(reshape: object): boolean {
  return !Object.hasOwn(reshape, "prototype");
}

function tagOf(reshape: object): string {
  return Object.prototype.toString.call(reshape);
}

function named({ name }: { readonly name: string }): string {
  return name === "" ? "the function" : name;
}

function refused(message: string): KantokuError {
  return new KantokuError("invalid-definition", message);
}
