import { createHash } from "node:crypto";
import type { FaultKind, Preprocessor, Reshaped } from "../../../runtime/preprocess/index.ts";

/** A preprocessor that nobody checked: what the sandbox has to hold against by itself. */
export function unchecked(code: string): Preprocessor {
  return { hash: createHash("sha256").update(code).digest("hex"), source: code, code };
}

/** Sums its input, and tells what an earlier call may have left where all code can see it. */
export const innocent = unchecked(`(x) => {
  const generator = (function* () {})();
  const places = [
    {}, [], "", 0, true, 1n, Symbol.iterator, /a/, () => {}, generator, new Map(), new Set(),
    new Error(), [].values(), "".matchAll(/a/g), new Uint8Array(1), Object, Array, JSON, Math,
    Reflect, Symbol, Error, RegExp, ArrayBuffer, Iterator.from({ next() {} }),
    [].values().map((y) => y), ...(Iterator.concat ? [Iterator.concat([])] : []),
  ];
  return {
    sum: [3, 1, 2].sort().reduce((a, b) => a + b, 0) + x.a + x.b,
    text: \`\${{}}\` + JSON.stringify(JSON.parse('{"a":[1]}')) + "aXa".replace(/X/, "y"),
    left: places.filter((place) => place.leak !== undefined || place.toJSON !== undefined).length,
    global: typeof leak,
  };
}`);
export const innocentInput = '{"a":1,"b":2}';
export const innocentOutput = {
  sum: 9,
  text: '[object Object]{"a":[1]}aya',
  left: 0,
  global: "undefined",
};

/** How a call ended, in one word or with its output. */
export function endOf(reshaped: Reshaped): FaultKind | { output: unknown } {
  return "fault" in reshaped ? reshaped.fault.kind : { output: JSON.parse(reshaped.output) };
}
