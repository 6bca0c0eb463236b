import fc from "fast-check";
import { expect, test } from "vitest";
import type { Call } from "../../../sdk/call.ts";
import { task } from "../../../sdk/definition.ts";
import { all } from "../../../sdk/graph/all.ts";
import { each } from "../../../sdk/graph/each.ts";
import { encodeGraph } from "../../../sdk/graph/encode.ts";
import { pipeline } from "../../../sdk/graph/pipeline.ts";
import type { Pending, Reference } from "../../../sdk/graph/reference.ts";
import { isCall } from "../../../sdk/graph/traits.ts";
import type { Graph } from "../../../sdk/protocol/graph.ts";
import { interpret, pick } from "./graph-interpreter.ts";

const doPack = (input: unknown) => ({ got: input, "a/b~": 1 });
const doList = (input: unknown) =>
  [input, { n: 1 }, "x"].slice(0, JSON.stringify(input).length % 4);
const functions = { pack: doPack, list: doList };
const pack = task("pack", {}, doPack);
const list = task("list", {}, doList);

const reshapes: readonly ((value: unknown) => unknown)[] = [
  (value: unknown) => ({ was: value }),
  (value: unknown) => JSON.stringify(value).length,
];
const keys = ["got", "0", "a/b~", "absent"];

interface Instruction {
  readonly kind: number;
  readonly picks: readonly [number, number, number];
  readonly body: readonly Instruction[];
}

const { program } = fc.letrec<{ program: Instruction[]; body: Instruction[] }>((tie) => ({
  program: fc.array(
    fc.record({
      kind: fc.nat({ max: 6 }),
      picks: fc.tuple(fc.nat({ max: 20 }), fc.nat({ max: 20 }), fc.nat({ max: 20 })),
      body: tie("body"),
    }),
    { minLength: 1, maxLength: 6, size: "max" },
  ),
  body: fc.oneof({ maxDepth: 2 }, fc.constant<Instruction[]>([]), tie("program")),
}));

/** A value to come, and what it comes to, given the items of the bodies around it. */
interface Node {
  readonly ref: Reference<unknown>;
  readonly direct: (items: readonly unknown[]) => unknown;
}

interface Site {
  readonly a: Node;
  readonly b: Node;
  readonly c: Node;
  readonly pick: number;
  readonly body: readonly Instruction[];
  readonly nodes: readonly Node[];
  readonly depth: number;
}

/** Each does one thing twice: with calls, and with plain functions. */
const makers: readonly ((site: Site) => Node)[] = [
  ({ a }) => ({ ref: pack(a.ref), direct: (items) => doPack(a.direct(items)) }),
  ({ a, b }) => ({
    ref: pack({ x: [1, a.ref], b: b.ref, c: null }),
    direct: (items) => doPack({ x: [1, a.direct(items)], b: b.direct(items), c: null }),
  }),
  ({ a, pick: index }) => {
    const key = keys[index % keys.length] ?? "";
    const fields = pendingOf(a.ref) as unknown as Record<string, Pending<unknown>>;
    return { ref: fields[key] ?? a.ref, direct: (items) => pick(a.direct(items), key) };
  },
  ({ a, pick: index }) => {
    const reshape = reshapes[index % reshapes.length] as (value: unknown) => unknown;
    return { ref: pendingOf(a.ref).map(reshape), direct: (items) => reshape(a.direct(items)) };
  },
  ({ a, b, pick: index }) =>
    index % 2 === 0
      ? {
          ref: all({ a: a.ref, "b/": b.ref }),
          direct: (items) => ({ a: a.direct(items), "b/": b.direct(items) }),
        }
      : { ref: all([a.ref, b.ref]), direct: (items) => [a.direct(items), b.direct(items)] },
  ({ a, b }) => ({
    ref: list(a.ref).after(pack(b.ref)),
    direct: (items) => doList(a.direct(items)),
  }),
  ({ a, b, c, pick: index, body, nodes, depth }) => {
    let inner: Node | undefined;
    const items = index % 2 === 0 ? list(a.ref) : [a.ref, 7, b.ref];
    const itemsOf: Node["direct"] = (given) =>
      index % 2 === 0 ? doList(a.direct(given)) : [a.direct(given), 7, b.direct(given)];
    const ref = each<unknown, unknown>(items, (item) => {
      const own: Node = { ref: item, direct: (given) => given[depth] };
      const made = compose(body, [...nodes, c, own], depth + 1);
      inner = made;
      return made.ref;
    });
    return {
      ref,
      direct: (given) =>
        (itemsOf(given) as unknown[]).map((item) =>
          inner?.direct([...given.slice(0, depth), item]),
        ),
    };
  },
];

/** A call of all that the instructions make of what is around them. */
function compose(
  instructions: readonly Instruction[],
  around: readonly Node[],
  depth: number,
): Node & { readonly ref: Call } {
  const nodes = [...around];
  for (const { kind, picks, body } of instructions) {
    const [a, b, c] = picks.map((index) => nodes[index % nodes.length]);
    const make = makers[kind];
    if (a === undefined || b === undefined || c === undefined || make === undefined) continue;
    nodes.push(make({ a, b, c, pick: picks[0], body, nodes: [...nodes], depth }));
  }
  const wanted = nodes.slice(Math.max(0, around.length - 2));
  return {
    ref: pack(wanted.map(({ ref }) => ref)),
    direct: (items) => doPack(wanted.map(({ direct }) => direct(items))),
  };
}

function pendingOf(ref: Reference<unknown>): Pending<unknown> {
  return isCall(ref) ? (ref as Call).output : (ref as Pending<unknown>);
}

function taskCount({ tasks }: Graph): number {
  return Object.values(tasks).reduce(
    (count, vertex) => count + 1 + ("each" in vertex ? taskCount(vertex.each) : 0),
    0,
  );
}

test("a graph comes to what its functions come to", () => {
  let tasks = 0;
  fc.assert(
    fc.property(program, (instructions) => {
      const base: Node = { ref: pack("base"), direct: () => doPack("base") };
      const { ref, direct } = compose(instructions, [base], 0);
      const graph = encodeGraph(ref);
      expect(graph).not.toBeNull();
      if (graph === null) return;
      tasks += taskCount(graph);
      // Through JSON, as it travels.
      expect(interpret(JSON.parse(JSON.stringify(graph)), functions)).toEqual(direct([]));
    }),
    { numRuns: 200 },
  );
  expect(tasks).toBeGreaterThan(1_000);
});

test("a pipeline comes to what its functions come to", () => {
  fc.assert(
    fc.property(program, fc.jsonValue(), (instructions, input) => {
      let direct: Node["direct"] = () => null;
      const { graph } = pipeline("composed", {}, (ref) => {
        const made = compose(instructions, [{ ref, direct: () => input }], 0);
        direct = made.direct;
        return made.ref;
      });
      expect(interpret(graph, functions, { input })).toEqual(direct([]));
    }),
    { numRuns: 200 },
  );
});
