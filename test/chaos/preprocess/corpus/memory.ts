// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the snippets have templates of their own.
import type { Row } from "./row.ts";

const full = ["memory", "timeout"] as const;
const fullOrRefused = ["memory", "timeout", "threw"] as const;

/** What wants more memory than there is. */
export const memory: readonly Row[] = [
  ["strings kept", "() => { const c = []; for (;;) c.push('x'.repeat(1 << 20)) }", full],
  ["one string doubled", "() => { let s = 'x'; for (;;) s += s }", fullOrRefused],
  ["longest string", "() => 'x'.repeat(2 ** 30 - 1).length", fullOrRefused],
  ["padStart", "() => ''.padStart(2 ** 30 - 1, 'ab').length", fullOrRefused],
  [
    "concat",
    "() => { const s = 'x'.repeat(1 << 22); return s.concat(s, s, s, s, s, s, s, s, s).length }",
    { output: 41943040 },
  ],
  ["join", "() => new Array(1 << 12).fill('x'.repeat(1 << 14)).join().length", fullOrRefused],
  [
    "replace that multiplies",
    "() => 'x'.repeat(1 << 16).replace(/x/g, 'y'.repeat(1 << 12)).length",
    fullOrRefused,
  ],
  ["split", "() => 'x'.repeat(1 << 23).split('').length", full],
  ["arrays kept", "() => { const c = []; for (;;) c.push(new Array(100000).fill(1)) }", full],
  ["array filled", "() => new Array(1e8).fill(0).length", full],
  ["array spread", "() => { let a = [1]; for (;;) a = [...a, ...a] }", full],
  ["array concat", "() => { let a = [1]; for (;;) a = a.concat(a) }", full],
  [
    "flat",
    "() => { const a = new Array(10000).fill(0); return new Array(10000).fill(a).flat().length }",
    full,
  ],
  ["arguments", "() => Math.max.apply(null, { length: 1e8 })", fullOrRefused],
  [
    "spread arguments",
    "() => Math.max(...new Array(1e7).fill(1))",
    ["memory", "timeout", "threw", "stack"],
  ],
  ["typed array", "() => new Uint8Array(2 ** 31).length", fullOrRefused],
  [
    "typed arrays kept",
    "() => { const c = []; for (;;) c.push(new Float64Array(1 << 16)) }",
    fullOrRefused,
  ],
  ["array buffer", "() => new ArrayBuffer(2 ** 40).byteLength", fullOrRefused],
  [
    "array buffer that grows",
    "() => new ArrayBuffer(8, { maxByteLength: 2 ** 40 }).maxByteLength",
    fullOrRefused,
  ],
  ["objects kept", "() => { const c = []; for (;;) c.push({ a: {}, b: {} }) }", full],
  ["objects chained", "() => { let o = {}; for (;;) o = { o } }", full],
  [
    "objects in a ring",
    "() => { for (;;) { const a = []; for (let i = 0; i < 1e6; i++) a.push({ a }) } }",
    full,
  ],
  ["closures kept", "() => { let f = () => 1; for (;;) { const g = f; f = () => g } }", full],
  ["bound functions", "() => { let f = () => 1; for (;;) f = f.bind(null) }", full],
  ["Map filled", "() => { const m = new Map(); for (let i = 0; ; i++) m.set(i, i) }", full],
  ["Set filled", "() => { const s = new Set(); for (let i = 0; ; i++) s.add('k' + i) }", full],
  [
    "WeakMap filled",
    "() => { const m = new WeakMap(); const k = []; for (;;) { const o = {}; k.push(o); m.set(o, o) } }",
    full,
  ],
  ["properties", "() => { const o = {}; for (let i = 0; ; i++) o['k' + i] = i }", full],
  ["shapes", "() => { const c = []; for (let i = 0; ; i++) c.push({ ['k' + i]: 1 }) }", full],
  ["symbols", "() => { const c = []; for (;;) c.push(Symbol('x'.repeat(1000))) }", full],
  [
    "registered symbols",
    "() => { const c = []; for (let i = 0; ; i++) c.push(Symbol.for('x'.repeat(1000) + i)) }",
    full,
  ],
  [
    "generators kept",
    "() => { const c = []; for (;;) { const g = (function* () { yield 1 })(); g.next(); c.push(g) } }",
    full,
  ],
  [
    "regular expressions kept",
    "() => { const c = []; for (let i = 0; ; i++) c.push(new RegExp('(a{1,' + (i % 900 + 1) + '}){1,99}')) }",
    fullOrRefused,
  ],
  [
    "regular expression that multiplies",
    "() => new RegExp('((((a{1,999}){1,999}){1,999}){1,999})').test('a')",
    { output: true },
  ],
  [
    "classes kept",
    "() => { const c = []; for (;;) c.push(class { a = 1; static b = 2; #c = 3 }) }",
    full,
  ],
  ["errors kept", "() => { const c = []; for (;;) c.push(new Error('x')) }", full],
  ["BigInts kept", "() => { const c = []; for (;;) c.push(1n << 100000n) }", fullOrRefused],
  [
    "JSON doubled",
    "() => { let s = '[1]'; for (;;) s = JSON.stringify(JSON.parse(`[${s},${s}]`)) }",
    full,
  ],
  [
    "JSON indented",
    "() => JSON.stringify(new Array(1e6).fill([0]), null, '          ').length",
    full,
  ],
  [
    "memory caught, then all the same",
    "() => { const c = []; for (;;) try { for (;;) c.push(new Array(1e5).fill(1)) } catch {} }",
    full,
  ],
  ["encode", "() => { let s = '%'; for (;;) s = encodeURIComponent(s + s) }", fullOrRefused],
  ["escape in a match", "() => [...'x'.repeat(1 << 22).matchAll(/x/g)].length", full],
];

/** What wants more stack than there is. */
export const depth: readonly Row[] = [
  ["plain recursion", "() => { const f = () => f(); f() }", ["stack"]],
  [
    "recursion with arguments",
    "() => { const f = (...a) => f(...a, 1); f() }",
    ["stack", "memory", "timeout"],
  ],
  ["mutual recursion", "() => { const f = () => g(); const g = () => f(); f() }", ["stack"]],
  [
    "recursion caught for ever",
    "() => { const f = () => { try { f() } catch { f() } }; f() }",
    ["timeout", "stack"],
  ],
  [
    "recursion in finally",
    "() => { const f = () => { try { f() } finally { f() } }; f() }",
    ["timeout", "stack"],
  ],
  ["getter", "() => { const o = { get a() { return this.a } }; return o.a }", ["stack"]],
  ["setter", "() => { const o = { set a(x) { this.a = x } }; o.a = 1 }", ["stack"]],
  ["toString", "() => { const o = { toString() { return `${this}` } }; return `${o}` }", ["stack"]],
  [
    "Proxy get",
    "() => { const p = new Proxy({}, { get: (t, k, r) => r[k] }); return p.a }",
    ["stack"],
  ],
  [
    "Proxy chain",
    "() => { let p = {}; for (let i = 0; i < 20000; i++) p = new Proxy(p, {}); return p.a }",
    ["stack", "timeout"],
  ],
  [
    "prototype chain",
    "() => { let o = {}; for (let i = 0; i < 1e5; i++) o = Object.create(o); return typeof o.a }",
    { output: "undefined" },
  ],
  [
    "bind chain",
    "() => { let f = () => 1; for (let i = 0; i < 3000; i++) f = f.bind(null); return f() }",
    ["stack", "memory", "timeout"],
  ],
  ["JSON.parse", "() => JSON.parse('['.repeat(1e5))", ["threw", "stack"]],
  ["JSON.parse of objects", "() => JSON.parse('{\"a\":'.repeat(1e5))", ["threw", "stack"]],
  [
    "JSON.stringify",
    "() => { let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return JSON.stringify(a) }",
    ["stack", "timeout"],
  ],
  [
    "JSON.stringify, slowly",
    "() => { const o = {}; let p = o; for (let i = 0; i < 1e5; i++) p = p.a = {}; return JSON.stringify(o) }",
    ["stack", "timeout"],
  ],
  [
    "array to text",
    "() => { let a = []; for (let i = 0; i < 2e5; i++) a = [a]; return `${a}` }",
    ["stack", "timeout"],
  ],
  [
    "array flat",
    "() => { let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a.flat(Infinity) }",
    ["stack", "timeout"],
  ],
  [
    "deep value let go",
    "() => { let a = []; for (let i = 0; i < 2e5; i++) a = [a]; a = null; return 1 }",
    { output: 1 },
  ],
  [
    "deep value returned",
    "() => { let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a }",
    ["output"],
  ],
  [
    "nested groups",
    "() => new RegExp('(?:'.repeat(1e4) + 'a' + ')'.repeat(1e4))",
    ["threw", "stack"],
  ],
  ["nested captures", "() => new RegExp('('.repeat(5e4) + ')'.repeat(5e4))", ["threw", "stack"]],
  [
    "nested lookaheads",
    "() => new RegExp('(?='.repeat(1e4) + 'a' + ')'.repeat(1e4)).test('a')",
    ["threw", "stack"],
  ],
  ["wide alternatives", "() => new RegExp('a|'.repeat(1e3)).test('b')", { output: true }],
  [
    "replace that calls itself",
    "() => { const f = (s) => s.replace(/a/, f); return f('a') }",
    ["stack"],
  ],
  ["sort that calls itself", "() => { const f = () => [2, 1].sort(f); return f() }", ["stack"]],
  [
    "iterator that iterates itself",
    "() => { const o = { *[Symbol.iterator]() { yield* o } }; return [...o] }",
    ["stack", "memory", "timeout"],
  ],
  [
    "instanceof",
    "() => { const o = { [Symbol.hasInstance]: (x) => x instanceof o }; return 1 instanceof o }",
    ["stack", "threw"],
  ],
  ["construct", "() => { class A { constructor() { new A() } } new A() }", ["stack"]],
  [
    "extends",
    "() => { let A = class {}; for (let i = 0; i < 1e4; i++) A = class extends A {}; new A() }",
    ["stack", "timeout"],
  ],
  ["reviver", "() => { const f = () => JSON.parse('[1]', f); return f() }", ["stack"]],
  ["deep code", `() => ${"(".repeat(5000)}1${")".repeat(5000)}`, ["threw", "stack"]],
  ["deep arrays in code", `() => ${"[".repeat(20000)}${"]".repeat(20000)}`, ["threw", "stack"]],
  ["deep arrows in code", `() => ${"a => ".repeat(8000)}1`, ["threw", "stack"]],
  ["deep operators in code", `() => ${"!".repeat(60000)}1`, ["threw", "stack"]],
];
