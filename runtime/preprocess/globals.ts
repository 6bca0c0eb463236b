/** What a preprocessor may name without declaring it, and all that its realm has. */
export const guestGlobals: ReadonlySet<string> = new Set([
  ..."undefined NaN Infinity Object Array String Number Boolean BigInt Symbol".split(" "),
  ..."Map Set WeakMap WeakSet RegExp JSON Math Reflect Proxy Iterator".split(" "),
  ..."Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError".split(" "),
  ..."URIError ArrayBuffer DataView Int8Array Uint8Array Uint8ClampedArray".split(" "),
  ..."Int16Array Uint16Array Int32Array Uint32Array BigInt64Array BigUint64Array".split(" "),
  ..."Float32Array Float64Array parseInt parseFloat isNaN isFinite".split(" "),
  ..."encodeURI encodeURIComponent decodeURI decodeURIComponent".split(" "),
]);

const noClock = "a preprocessor has no clock; pass the time in as data";
const noText = "a preprocessor cannot make code from text";
const noCollector = "a preprocessor cannot tell what is collected, nor when";
const noWait = "a preprocessor is synchronous: it returns its output";
const noPlatform = "a preprocessor has the language and nothing of its platform; do that in a task";
const noOutside = "a preprocessor reaches nothing outside; do that in a task";

/** Why a well-known name is missing, for whoever reaches for it. */
export const absences: ReadonlyMap<string, string> = new Map([
  ["Date", noClock],
  ["performance", noClock],
  ["Temporal", noClock],
  ["Math.random", "a preprocessor has no randomness; pass it in as data"],
  ["crypto", "a preprocessor has no randomness; pass it in as data"],
  ["Intl", "a preprocessor has no locales and no time zones"],
  ["eval", noText],
  ["Function", noText],
  ["WebAssembly", noText],
  ["WeakRef", noCollector],
  ["FinalizationRegistry", noCollector],
  ["Promise", noWait],
  ["setTimeout", noWait],
  ["setInterval", noWait],
  ["setImmediate", noWait],
  ["queueMicrotask", noWait],
  ["Atomics", noWait],
  ["SharedArrayBuffer", noWait],
  ["fetch", noOutside],
  ["process", noOutside],
  ["require", noOutside],
  ["module", noOutside],
  ["exports", noOutside],
  ["console", noOutside],
  ["Buffer", "a preprocessor has no Buffer; use Uint8Array, or do that in a task"],
  ...[
    "structuredClone",
    "URL",
    "URLSearchParams",
    "TextEncoder",
    "TextDecoder",
    "btoa",
    "atob",
  ].map((name) => [name, noPlatform] as const),
  ...["AbortController", "AbortSignal", "Blob", "Headers", "Request", "Response", "WebSocket"].map(
    (name) => [name, noPlatform] as const,
  ),
  ["globalThis", "name the global itself"],
  ["arguments", "declare the parameter that is meant"],
]);
