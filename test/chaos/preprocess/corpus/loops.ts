// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the snippets have templates of their own.
import type { Row } from "./row.ts";

const late = ["timeout"] as const;
const spent = ["timeout", "memory"] as const;

/** What does not end, or not soon. */
export const loops: readonly Row[] = [
  ["endless while", "() => { while (true) {} }", late],
  ["endless for", "() => { for (;;) ; }", late],
  ["endless do", "() => { do {} while (1) }", late],
  ["labelled continue", "() => { a: for (;;) { for (;;) continue a; } }", late],
  ["loop in finally", "() => { try { return 1 } finally { for (;;) ; } }", late],
  ["loop that catches all", "() => { for (;;) try { for (;;) ; } catch {} }", late],
  [
    "return from a loop's finally",
    "() => { for (;;) { try { return 1 } finally { continue } } }",
    late,
  ],
  ["endless generator spread", "() => [...(function* () { for (;;) yield 1 })()]", spent],
  [
    "endless generator for-of",
    "() => { for (const x of (function* () { for (;;) yield 1 })()) ; }",
    late,
  ],
  [
    "generator that resists return",
    "() => { for (;;) for (const x of (function* () { for (;;) try { yield 1 } finally { continue } })()) break }",
    late,
  ],
  [
    "endless destructuring",
    "() => { const [...a] = { [Symbol.iterator]: () => ({ next: () => ({ done: false }) }) }; }",
    spent,
  ],
  [
    "endless iterator helper",
    "() => Iterator.from({ next: () => ({ done: false }) }).filter(() => false).next()",
    late,
  ],
  ["endless toArray", "() => (function* () { for (;;) yield 1 })().toArray()", spent],
  [
    "endless Map",
    "() => new Map((function* () { let i = 0; for (;;) yield [i++, i] })()).size",
    spent,
  ],
  [
    "endless Array.from",
    "() => Array.from({ length: 2 ** 32 }, () => { for (;;) ; })",
    ["timeout", "threw"],
  ],
  [
    "a Map that grows while walked",
    "() => { const m = new Map([[0, 0]]); let i = 1; m.forEach(() => m.set(i++, 0)); }",
    spent,
  ],
  [
    "a Set that grows while walked",
    "() => { const s = new Set([0]); let i = 1; for (const x of s) s.add(i++); }",
    spent,
  ],
  [
    "an array that grows while walked",
    "() => { const a = [1]; for (const x of a) a.push(x); }",
    spent,
  ],
  [
    "long sparse indexOf",
    "() => { const a = []; a.length = 2 ** 32 - 1; return a.indexOf(1) }",
    late,
  ],
  ["long sparse join", "() => new Array(1e9) + ''", spent],
  [
    "long sparse sort",
    "() => { const a = []; a[2 ** 32 - 2] = 1; return a.sort().length }",
    ["timeout", "memory", "output"],
  ],
  [
    "long sparse reverse",
    "() => { const a = []; a[2 ** 32 - 2] = 1; a.reverse(); return 1 }",
    late,
  ],
  ["long array-like", "() => Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1)", late],
  ["long array-like fill", "() => Array.prototype.fill.call({ length: 2 ** 53 - 1 }, 1)", spent],
  ["comparator that never ends", "() => [2, 1].sort(() => { for (;;) ; })", late],
  [
    "comparator that lies",
    "() => Array.from({ length: 1e6 }, (_, i) => i).sort(() => 1).length",
    spent,
  ],
  [
    "comparator that grows its array",
    "() => { const a = [3, 2, 1]; for (;;) a.sort(() => { a.push(1); return 0 }) }",
    spent,
  ],
  ["reducer that never ends", "() => [1, 2].reduce(() => { for (;;) ; })", late],
  ["replacer that never ends", "() => 'aaa'.replace(/a/g, () => { for (;;) ; })", late],
  ["JSON reviver that never ends", "() => JSON.parse('[1]', () => { for (;;) ; })", late],
  ["JSON replacer that never ends", "() => JSON.stringify([1], () => { for (;;) ; })", late],
  ["JSON toJSON that never ends", "() => JSON.stringify({ toJSON() { for (;;) ; } })", late],
  ["valueOf that never ends", "() => +{ valueOf() { for (;;) ; } }", late],
  ["key that never ends", "() => ({}[{ toString() { for (;;) ; } }])", late],
  ["toPrimitive that never ends", "() => `${{ [Symbol.toPrimitive]() { for (;;) ; } }}`", late],
  [
    "species that never ends",
    "() => { class A extends Array { static get [Symbol.species]() { for (;;) ; } } return new A(1).map((x) => x) }",
    late,
  ],
  [
    "hasInstance that never ends",
    "() => 1 instanceof { [Symbol.hasInstance]() { for (;;) ; } }",
    ["timeout", "threw"],
  ],
  ["static block", "() => { class A { static { for (;;) ; } } }", late],
  ["default parameter", "(a, b = (() => { for (;;) ; })()) => b", late],
  ["getter on the way", "() => { const o = { get a() { for (;;) ; } }; return { ...o } }", late],
  ["backtracking", "() => /(a+)+$/.test('a'.repeat(40) + 'b')", late],
  ["backtracking alternatives", "() => /(a|aa)+$/.test('a'.repeat(60) + 'b')", late],
  ["backtracking with lookahead", "() => /(?=(a+)+$)b/.test('a'.repeat(40) + 'b')", late],
  [
    "backtracking with backreference",
    "() => /(a*)*\\1b/.test('a'.repeat(40))",
    ["timeout", "threw", "stack"],
  ],
  ["backtracking in split", "() => ('a'.repeat(40) + 'b').split(/(a+)+$/)", late],
  ["backtracking in replaceAll", "() => ('a'.repeat(40) + 'b').replaceAll(/(a+)+$/g, '')", late],
  [
    "regular expression with endless exec",
    "() => { const r = /a/g; Object.defineProperty(r, 'exec', { value: () => [''] }); return ''.replace(r, '') }",
    spent,
  ],
  [
    "quadratic indexOf",
    "() => { const s = 'a'.repeat(1 << 20); return s.indexOf('a'.repeat(1 << 19) + 'b') }",
    ["timeout"],
  ],
  [
    "quadratic lastIndexOf",
    "() => { const s = 'a'.repeat(1 << 20); return s.lastIndexOf('b' + 'a'.repeat(1 << 19)) }",
    { output: -1 },
  ],
  ["repeated indexOf", "() => { const s = 'a'.repeat(1 << 20); for (;;) s.indexOf('b') }", late],
  ["BigInt power", "() => String((2n ** 100000n) ** 40n).length", ["timeout", "memory", "threw"]],
  ["BigInt product", "() => { let a = 3n; for (;;) a *= a }", ["timeout", "memory", "threw"]],
  ["BigInt to text", "() => (1n << 4000000n).toString().length", ["timeout", "memory", "threw"]],
  [
    "BigInt from text",
    "() => BigInt('9'.repeat(1000000)) % 7n === 0n",
    ["timeout", "memory", "threw"],
  ],
  ["BigInt shift", "() => 1n << (1n << 40n)", ["threw", "memory"]],
  [
    "busy Proxy",
    "() => { const p = new Proxy({}, { has: () => true, get: () => 1 }); while ('x' in p) ; }",
    late,
  ],
  [
    "endless prototype walk",
    "() => { const p = new Proxy({}, { getPrototypeOf: () => p }); for (let o = p; o; o = Object.getPrototypeOf(o)) ; }",
    late,
  ],
  ["endless ownKeys", "() => Object.keys(new Proxy({}, { ownKeys() { for (;;) ; } }))", late],
  [
    "recursive template",
    "() => { const f = (s) => f`${s}`; return f('') }",
    ["stack", "timeout", "memory"],
  ],
  ["endless decode", "() => { for (;;) decodeURIComponent('%20'.repeat(10000)) }", late],
  ["endless normalize", "() => { for (;;) 'é'.repeat(100000).normalize('NFD') }", late],
  ["endless throw", "() => { for (;;) try { throw 1 } catch {} }", late],
];
