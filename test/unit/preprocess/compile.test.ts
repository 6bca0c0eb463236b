import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { compilePreprocessor } from "../../../runtime/preprocess/index.ts";

/** Sources that compile, and the code that becomes of them. */
const sources: readonly [source: string, code: string][] = [
  ["x => x", "x => x"],
  ["(x) => ({ ...x, n: x.items.length })", "(x) => ({ ...x, n: x.items.length })"],
  [
    "({ body }: { body: string }) => ({ text: body })",
    "({ body }                  ) => ({ text: body })",
  ],
  ["<T,>(x: T) => x as unknown", "(x   ) => x"],
  ["(x): x is string => true", "(x)              => true"],
  ["(x) => x!.y satisfies string", "(x) => x .y"],
  ["function (x) { return x }", "function (x) { return x }"],
  ["function twice(x: number) { return x * 2 }", "function twice(x        ) { return x * 2 }"],
  ["twice(x) { return x * 2 }", "function (x) { return x * 2 }"],
  ["twice(x: number) { return x * 2 }", "function (x        ) { return x * 2 }"],
  ["'a b'(x) { return x }", "function (x) { return x }"],
  ["[name](x) { return x }", "function (x) { return x }"],
  ["((x) => x)", "(x) => x"],
  ["/** first */ (x) => x // last", "(x) => x"],
  [
    "(x) => { const f = function* () { yield x }; return [...f()] }",
    "(x) => { const f = function* () { yield x }; return [...f()] }",
  ],
  [
    "(x) => JSON.stringify([Math.max(...x), BigInt(1n) > 0, NaN, undefined])",
    "(x) => JSON.stringify([Math.max(...x), BigInt(1n) > 0, NaN, undefined])",
  ],
  ...[
    "(x) => { class E extends Error { constructor(m) { super(m) } } return new E(x).message }",
    "(x) => { class B extends x.A { f() { return () => super.f() } } return new B().f()() }",
    "(x) => ({ toString() { return super.toString() + this.y } }).toString()",
    "(x) => { class A { b = this.c; static { this.d = x } [x]() { return this } } return A.d }",
  ].map((source): [string, string] => [source, source]),
  // Comparisons in either language; and types that JavaScript cannot take for something else.
  ...[
    "(a) => a.b<1||a.c>(a.d)",
    "(a) => [(a.b<1),a.c>(a.d)]",
    "(a) => a.map((b) => b.c < 1 ? '<b>(c)' : b.d >> (1))",
  ].map((source): [string, string] => [source, source]),
  ["(xs) => new Set<string>(xs).size", "(xs) => new Set        (xs).size"],
  ["(xs: []) => xs.map<Object>(String)", "(xs    ) => xs.map        (String)"],
  // What esbuild and tsx write with keepNames, and what is left of it after minifying.
  [
    '(x) => { const f = /* @__PURE__ */ __name((y) => y, "f"); return f(x) }',
    "(x) => { const f = /* @__PURE__ */ (      (y) => y)     ; return f(x) }",
  ],
  [
    '(x) => { function f(y) { return y } __name(f, "f"); return f(x) }',
    "(x) => { function f(y) { return y }        f      ; return f(x) }",
  ],
  ['x=>{const n=o(e=>e,"same");return n(x)}', "x=>{const n=( e=>e)       ;return n(x)}"],
  [
    '(x) => { class A { static { __name(this, "A"); } } return x }',
    "(x) => { class A { static {        this      ; } } return x }",
  ],
  [
    'x=>{function f(y){return y}return t(f,"decl"),f(x).map(t(function(y){return y},"each"))}',
    "x=>{function f(y){return y}return   f        ,f(x).map(( function(y){return y})       )}",
  ],
  [
    'x=>{class u{static{t(this,"C")}#n=t(()=>1,"#p");s=t(a=>a in x,"s")}return{"b c":t(u=>u,"b c")}}',
    'x=>{class u{static{  this     }#n=( ()=>1)     ;s=( a=>a in x)    }return{"b c":( u=>u)      }}',
  ],
  ['x=>{let e;return e||=t(n=>n,"l"),e(x)}', "x=>{let e;return e||=( n=>n)    ,e(x)}"],
  // What istanbul counts with.
  [
    "(x) => { cov_1a2().f[0]++; cov_1a2().s[0]++; return (cov_1a2().b[0][1]++, x) }",
    "(x) => { 0               ; 0               ; return (0                  , x) }",
  ],
];

test.each(sources)("%s compiles", (source, code) => {
  const compiled = compilePreprocessor(source);
  if ("problems" in compiled) throw new Error(JSON.stringify(compiled.problems));
  const hash = createHash("sha256").update(source).digest("hex");
  expect(compiled.preprocessor).toEqual({ hash, source, code });
});

const twoReadings =
  "JavaScript reads comparisons here, and TypeScript type arguments; leave these out, or put brackets around a comparison";

/** Sources that do not, and each problem as `line:column message`. */
const refusals: readonly [source: string, ...problems: string[]][] = [
  ["", "1:1 the source is empty"],
  [" \n ", "1:1 the source is empty"],
  ["x =>", "1:5 Expression expected"],
  ["(x: number => x", "1:16 Expected '=>', got '}'"],
  ["x => 'abc", "1:6 Unterminated string constant"],
  ["(x) => {\n  let = x;\n}", "2:3 `let` cannot be used as an identifier in strict mode"],
  ["(x) => {\n  return 08;\n}", "2:10 Legacy decimal escape is not permitted in strict mode"],
  ["x => x; y => y", "1:7 Expected ',', got ';'"],
  ["(x) => 1, (y)", "1:1 a preprocessor is one function: (input) => output"],
  [
    "x) => (y",
    "1:1 a preprocessor is one function: (input) => output, or a function that is named or a method",
  ],
  [
    "x)}), (function(){return (y",
    "1:1 a preprocessor is one function: (input) => output, or a function that is named or a method",
  ],
  ["{ a: 1 }", "1:1 a preprocessor is one function: (input) => output"],
  ["Math.max", "1:1 a preprocessor is one function: (input) => output"],
  ["class A {}", "1:1 a class is not a preprocessor; write a function"],
  ["function* (x) { yield x }", "1:1 a generator is not a preprocessor; return the output"],
  ["*make(x) { yield x }", "1:6 a generator is not a preprocessor; return the output"],
  ["async (x) => x", "1:1 a preprocessor is synchronous: async functions cannot run in it"],
  [
    "async function f(x) { return await x }",
    "1:1 a preprocessor is synchronous: async functions cannot run in it",
  ],
  [
    "async make(x) { return x }",
    "1:11 a preprocessor is synchronous: async functions cannot run in it",
  ],
  [
    "(x) => {\n  return (async () => x)();\n}",
    "2:11 a preprocessor is synchronous: async functions cannot run in it",
  ],
  ["get x() { return 1 }", "1:5 Expected ',', got 'ident'"],
  [
    "function max() { [native code] }",
    "1:1 a built-in or bound function has no source; write (input) => …",
  ],
  ["import x from 'y'", "1:8 Import is not allowed here"],
  ["(x) => import('y')", "1:8 a preprocessor cannot import; do that in a task"],
  ["(x) => import.meta.url", "1:8 Cannot use 'import.meta' outside a module"],
  ["(x) => eval('x')", "1:8 eval is not available: a preprocessor cannot make code from text"],
  [
    "(x) => new Function('x')",
    "1:12 Function is not available: a preprocessor cannot make code from text",
  ],
  [
    "(x) => Math['random']()",
    "1:8 Math.random is not available: a preprocessor has no randomness; pass it in as data",
  ],
  [
    "() => new Intl.Collator()",
    "1:11 Intl is not available: a preprocessor has no locales and no time zones",
  ],
  ["() => globalThis", "1:7 globalThis is not available: name the global itself"],
  ["() => arguments[0]", "1:7 arguments is not available: declare the parameter that is meant"],
  ["() => this.x", "1:7 this is undefined in a preprocessor; use its parameters"],
  [
    "make(x) { return super.make(x) }",
    "1:18 super is not there: a preprocessor travels without its object",
  ],
  [
    "make(x) { return (() => super.make(x))() }",
    "1:25 super is not there: a preprocessor travels without its object",
  ],
  [
    "make(x) { return { [super.make]() { return super.make } } }",
    "1:21 super is not there: a preprocessor travels without its object",
  ],
  [
    "make(x) { class A extends super.make { [super.name] = super.b } }",
    "1:27 super is not there: a preprocessor travels without its object",
    "1:41 super is not there: a preprocessor travels without its object",
  ],
  [
    "(x) => { class A extends this.B { static [this.c] = this.d } }",
    "1:26 this is undefined in a preprocessor; use its parameters",
    "1:43 this is undefined in a preprocessor; use its parameters",
  ],
  [
    "(x) => new WeakRef(x)",
    "1:12 WeakRef is not available: a preprocessor cannot tell what is collected, nor when",
  ],
  [
    "(x) => __spreadValues({}, x)",
    "1:8 __spreadValues belongs to the compiler, not to the function; compile for es2022 or later",
  ],
  [
    "(x) => cov_1a2(x)",
    "1:8 cov_1a2 belongs to the coverage tool (istanbul), in a form that cannot be taken out",
  ],
  [
    'x=>memo(y=>y,"x")(x)',
    "1:4 memo is declared outside of the function, where a preprocessor cannot reach; pass it in as data",
  ],
  [
    'x=>o(y=>y,"a b")(x)',
    "1:4 o is declared outside of the function, where a preprocessor cannot reach; pass it in as data",
  ],
  [
    'x=>o(o(y=>y,"f"),1)',
    "1:4 o is declared outside of the function, where a preprocessor cannot reach; pass it in as data",
    "1:6 o is declared outside of the function, where a preprocessor cannot reach; pass it in as data",
  ],
  // What only looks like it.
  ...[
    '(xs) => xs.map(by((x) => x.id, "name"))',
    '(xs) => { const f = by((x) => x.id, "f"); return xs.map(f) }',
    'x => { const f = by(y=>y,"f"); return f(x) }',
    'x=>x.map(by(y=>y.id,"name"))',
    'x=>x.map(by(function(y){return y.id},"name"))',
    'x=>({a:by(y=>y.id,"b")})',
    'x=>{let f=y=>y,g=by(y=>y,"g");return g(f)}',
    'x=>{function f(y){return y}return by(y=>y,"g")(f)}',
    'x=>{function f(y){return y}return by(f,"f")}',
    'x=>(by(x,"x"),x)',
  ].map((source): [string, string] => [
    source,
    `1:${source.indexOf("by") + 1} by is declared outside of the function, where a preprocessor cannot reach; pass it in as data`,
  ]),
  [
    'x=>{let f=by(y=>y,"f"),g=of(y=>y,"g");return f(g)}',
    "1:11 by is declared outside of the function, where a preprocessor cannot reach; pass it in as data",
    "1:26 of is declared outside of the function, where a preprocessor cannot reach; pass it in as data",
  ],
  // What is JavaScript and TypeScript, and not the same.
  ["(xs) => xs.reduce<Object>((a, b) => ({ ...a, [b]: 1 }), {})", `1:18 ${twoReadings}`],
  ["(xs) => {\n  return xs.map<String>((x) => x);\n}", `2:16 ${twoReadings}`],
  ["(xs) => [new Map<String, Number>(xs)]", `1:17 ${twoReadings}`],
  ["make(f) { return f(f<1,2>(f)) }", `1:21 ${twoReadings}`],
  ["(f, a) => f<a> /* … */ (a)", `1:12 ${twoReadings}`],
  ["(f, a) => f<a>`x`", `1:12 ${twoReadings}`],
  ["(f, a) => { return f<a>\n a }", `1:21 ${twoReadings}`],
  ["(x) => { enum A { B } return 1 }", "1:10 TypeScript enum is not supported in strip-only mode"],
  [
    "(x: Page) => {\n  const now = Date.now();\n  total = x.n;\n  return fetch(x.url as string) ?? process.env.HOME;\n}",
    "2:15 Date is not available: a preprocessor has no clock; pass the time in as data",
    "3:3 total is declared outside of the function, where a preprocessor cannot reach; pass it in as data",
    "4:10 fetch is not available: a preprocessor reaches nothing outside; do that in a task",
    "4:36 process is not available: a preprocessor reaches nothing outside; do that in a task",
  ],
];

test.each(refusals)("%s is refused", (source, ...problems) => {
  const compiled = compilePreprocessor(source);
  const found = "problems" in compiled ? compiled.problems : [];
  expect(found.map(({ line, column, message }) => `${line}:${column} ${message}`)).toEqual(
    problems,
  );
});

test("a source may have 64 KiB, in bytes", () => {
  const sourceOf = (bytes: number) => `() => "${"é".repeat((bytes - 8) / 2)}"`;
  expect(compilePreprocessor(sourceOf(65_536))).toHaveProperty("preprocessor");
  expect(compilePreprocessor(sourceOf(65_538))).toEqual({
    problems: [{ message: "the source is 65538 bytes; the limit is 65536", line: 1, column: 1 }],
  });
});

const nested: readonly [what: string, open: string, close: string][] = [
  ["brackets", "(", ")"],
  ["arrays", "[", "]"],
  ["operators", "!", ""],
  ["arrows", "a => ", ""],
  ["sums", "1 + ", ""],
  ["conditions", "1 ? 1 : ", ""],
];

test.each(nested)("a source of nested %s is refused, and the next one is not", (_, open, close) => {
  const depth = Math.floor(65_000 / (open.length + close.length));
  for (const parameter of ["x", "x: number"]) {
    const source = `(${parameter}) => ${open.repeat(depth)}1${close.repeat(depth)}`;
    expect(compilePreprocessor(source)).toEqual({
      problems: [{ message: "the source nests too deeply", line: 1, column: 1 }],
    });
  }
  expect(compilePreprocessor("(x: number) => x")).toHaveProperty("preprocessor");
});

/** What the stripper reads twice, and what is within it four times, and so on. */
const doubling: readonly [what: string, open: string, close: string][] = [
  ["generic calls", "<T>(", ")"],
  ["conditional arrows", "x ? (x) : y => ", ""],
];

test.each(doubling)("a source of %s that takes for ever is refused", (_, open, close) => {
  const source = `(x: number) => ${open.repeat(40)}1${close.repeat(40)}`;
  expect(compilePreprocessor(source)).toEqual({
    problems: [
      {
        message: "the source takes too long to read as TypeScript; nest it less",
        line: 1,
        column: 1,
        isOvertime: true,
      },
    ],
  });
  expect(compilePreprocessor("(x: number) => x")).toHaveProperty("preprocessor");
});
