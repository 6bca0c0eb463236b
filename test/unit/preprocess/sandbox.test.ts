import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  compilePreprocessor,
  openSandbox,
  type Preprocessor,
  type Reshaped,
  type Sandbox,
} from "../../../runtime/preprocess/index.ts";

let sandbox: Sandbox;

beforeAll(() => {
  sandbox = openSandbox();
});

afterAll(() => sandbox.close());

test("an output is the JSON text of what the function returns", async () => {
  const reshaped = await run(
    "({ body }: { body: string }) => ({ text: body, n: [1, null, true] })",
    {
      body: 'a "quoted" €',
    },
  );
  expect(reshaped).toEqual({ output: '{"text":"a \\"quoted\\" €","n":[1,null,true]}' });
});

test("what it throws is told by name and message", async () => {
  expect(await run("(x) => x.a.b", {})).toEqual({
    fault: {
      kind: "threw",
      name: "TypeError",
      message: "cannot read property 'b' of undefined",
    },
  });
  expect(
    await run("() => { class NoPage extends Error { name = 'NoPage' } throw new NoPage('gone') }"),
  ).toEqual({ fault: { kind: "threw", name: "NoPage", message: "gone" } });
});

/** What JSON would change or drop, and how it is refused. */
const refusals: readonly [code: string, message: string][] = [
  ["() => {}", "output: undefined is not a JSON value"],
  ["() => ({ pages: [{ size: NaN }] })", "output.pages[0].size: NaN is not a JSON value"],
  ["() => [Infinity]", "output[0]: Infinity is not a JSON value"],
  ["() => [undefined]", "output[0]: undefined is not a JSON value"],
  ["() => ({ f: () => 1 })", "output.f: a function is not a JSON value"],
  ["() => ({ 'a b': 1n })", 'output["a b"]: a bigint is not a JSON value'],
  ["() => ({ at: new Map() })", "output.at: an instance of Map is not a JSON value"],
  ["() => [new (class Point {})()]", "output[0]: an instance of Point is not a JSON value"],
  [
    "() => ({ id: 2 ** 53 })",
    "output.id: 9007199254740992 is an integer beyond ±(2^53 − 1); write it as a string",
  ],
  ["() => 'a\\0b'", "output: holds a NUL character"],
  ["() => '\\ud800'", "output: holds a lone surrogate"],
  ["() => 'x'.repeat(262_143)", "output is 262145 bytes; the limit is 262144"],
  ["() => ({ a: '€'.repeat(100_000) })", "output is 300008 bytes; the limit is 262144"],
  ["() => new Array(200_000).fill(0)", "output: is larger than 262144 bytes"],
];

test.each(refusals)("%s is no output", async (code, message) => {
  expect(await run(code)).toEqual({ fault: { kind: "output", name: "OutputError", message } });
});

test("a value that refers to itself is refused with its path", async () => {
  const reshaped = await run("() => { const o = {}; o.o = o; return o }");
  expect(faultOf(reshaped).message).toMatch(
    /^output(\.o){64}: nests deeper than 64 levels, or refers to itself$/,
  );
});

test("an output of 256 KiB comes through, and a larger input than 2 MiB does not", async () => {
  const size = 262_142;
  expect(await run(`() => "x".repeat(${size})`)).toEqual({ output: `"${"x".repeat(size)}"` });
  expect(faultOf(await run("(x) => x.length", "x".repeat(2 ** 21)))).toEqual({
    kind: "memory",
    name: "InputError",
    message: "input is 2097154 bytes; the limit is 2097152",
  });
  expect(await run("(x) => x.length", "x".repeat(2 ** 20))).toEqual({ output: "1048576" });
});

test("a call that overruns is stopped, interruptible or not, and its neighbours are answered", async () => {
  const neighbours = Array.from({ length: 50 }, (_, index) => run("(x) => x + 1", index));
  const late = [
    run("() => { for (;;) ; }"),
    run("() => { const a = []; a.length = 2 ** 32 - 1; return a.indexOf(1) }"),
  ];
  const behind = Array.from({ length: 50 }, (_, index) => run("(x) => x + 2", index));
  for (const reshaped of await Promise.all(late)) {
    expect(faultOf(reshaped)).toEqual({
      kind: "timeout",
      name: "TimeoutError",
      message: "the preprocessor did not end within 250 ms",
    });
  }
  const answers = (await Promise.all([...neighbours, ...behind])).map(outputOf);
  expect(answers).toEqual([...range(1), ...range(2)]);
});

test("a deadline is one call's own", async () => {
  const busy = "() => { let n = 0; while (n < 3e5) n += 1; return n }";
  const [short, long] = await Promise.all([
    sandbox.reshape({ ...work(busy), deadlineMs: 1 }),
    sandbox.reshape({ ...work(busy), deadlineMs: 10_000 }),
  ]);
  expect(faultOf(short).kind).toBe("timeout");
  expect(outputOf(long)).toBe(300_000);
});

test("one namespace that only overruns leaves the others their turns", async () => {
  const greedy = Array.from({ length: 4 }, () =>
    sandbox.reshape({ ...work("() => { for (;;) ; }"), namespace: "greedy", deadlineMs: 200 }),
  );
  let isGreedyDone = false;
  const all = Promise.all(greedy).then(() => {
    isGreedyDone = true;
  });
  const others = ["b", "c", "d"].map((namespace) =>
    sandbox.reshape({ ...work("(x) => x", 1), namespace }),
  );
  expect((await Promise.all(others)).map(outputOf)).toEqual([1, 1, 1]);
  expect(isGreedyDone).toBe(false);
  await all;
});

test("a call that nobody wants when its turn comes does not run, and its neighbours do", async () => {
  const alone = openSandbox({ threads: 1 });
  let isWanted = true;
  const endless = { ...work("() => { for (;;) ; }"), isWanted: () => isWanted };
  const first = alone.reshape(endless);
  const others = Array.from({ length: 1_000 }, () => alone.reshape(endless));
  const givenUp = Promise.allSettled(others);
  const neighbour = alone.reshape(work("(x) => x", 1));
  expect(faultOf(await first).kind).toBe("timeout");
  isWanted = false;
  expect(outputOf(await neighbour)).toBe(1);
  expect(new Set((await givenUp).map(({ status }) => status))).toEqual(new Set(["rejected"]));
  await expect(others.at(-1)).rejects.toThrow("nobody wants it any more");
  await alone.close();
});

test("intrinsics are frozen, and what they give back inherits from frozen objects only", async () => {
  const walk = work(`() => {
    const prototypes = () => {
      const receivers = [
        [1], "ab", 1, true, 1n, Symbol.iterator, /a/g, new Map([[1, 1]]), new Set([1]),
        new WeakMap(), new WeakSet(), new Error("x"), new Uint8Array(1), new ArrayBuffer(1),
        (x) => x, {}, new DataView(new ArrayBuffer(1)), (function* () {})(), (async () => {})(),
        [1].values(), [1].values().map((x) => x), Array, Object, Iterator, Map, JSON, Math,
        Reflect, Symbol, Proxy, String, Number, BigInt, RegExp, Error, ArrayBuffer,
        (async function* () {})(),
      ];
      const parameters = [[], [/a/g], [[1]], [[[1]]], [(x) => x], [{}, {}], [1], ["a"]];
      const found = new Map();
      for (const receiver of receivers) {
        for (let at = receiver; at != null; at = Object.getPrototypeOf(at)) {
          for (const key of Reflect.ownKeys(Object(at))) {
            if (["repeat", "padEnd", "padStart"].includes(key)) continue;
            let member;
            try { member = receiver[key] } catch {}
            if (Object(member) === member && !Object.isFrozen(member)) found.set(member, String(key));
            for (const each of parameters) {
              let value;
              try { value = receiver[key](...each) } catch { continue }
              if (value === null || !/object|function/.test(typeof value)) continue;
              const prototype = Object.getPrototypeOf(value);
              if (prototype !== null && !Object.isFrozen(prototype)) found.set(prototype, String(key));
            }
          }
        }
      }
      return found;
    };
    // What belongs to the realm is the same twice.
    const again = prototypes();
    return [...prototypes()].filter(([prototype]) => again.has(prototype)).map(([, key]) => key);
  }`);
  // It is long work: what it finds is asked, not how fast.
  const unfrozen = await sandbox.reshape({ ...walk, deadlineMs: 10_000 });
  expect(reshapedOutput(unfrozen)).toEqual([]);
});

test("closed, it rejects what is under way and what comes", async () => {
  const closing = openSandbox();
  const underWay = closing.reshape(work("() => { for (;;) ; }"));
  const ended = expect(underWay).rejects.toThrow("the sandbox is closed");
  await closing.close();
  await ended;
  await expect(closing.reshape(work("(x) => x"))).rejects.toThrow("the sandbox is closed");
});

test("an idle sandbox keeps no process alive", async () => {
  const program = `
    import { openSandbox } from "./runtime/preprocess/index.ts";
    const preprocessor = { hash: "h", source: "", code: "(x) => x + 1" };
    const reshaped = await openSandbox().reshape({ namespace: "n", preprocessor, input: "1" });
    console.log(reshaped.output);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const written: string[] = [];
  child.stdout.on("data", (data) => written.push(String(data)));
  child.stderr.on("data", (data) => written.push(String(data)));
  const [code] = await once(child, "close");
  expect([code, written.join("")]).toEqual([0, "2\n"]);
});

function run(source: string, input: unknown = null): Promise<Reshaped> {
  return sandbox.reshape(work(source, input));
}

function work(source: string, input: unknown = null) {
  return { namespace: "a", preprocessor: compiled(source), input: JSON.stringify(input) };
}

/** Compiled where the check lets it through; else as it is, since the sandbox has to hold anyway. */
function compiled(source: string): Preprocessor {
  const result = compilePreprocessor(source);
  return "preprocessor" in result
    ? result.preprocessor
    : { hash: `unchecked ${source}`, source, code: source };
}

function range(from: number): number[] {
  return Array.from({ length: 50 }, (_, index) => index + from);
}

function reshapedOutput(reshaped: Reshaped): unknown {
  if ("fault" in reshaped) throw new Error(JSON.stringify(reshaped.fault));
  return JSON.parse(reshaped.output);
}

function outputOf(reshaped: Reshaped): unknown {
  return "output" in reshaped ? JSON.parse(reshaped.output) : reshaped.fault;
}

function faultOf(reshaped: Reshaped) {
  if ("fault" in reshaped) return reshaped.fault;
  throw new Error(`no fault: ${reshaped.output}`);
}
