import fc from "fast-check";
import type { Condition, Graph, GraphTask, Ref, Source } from "../../sdk/protocol/graph.ts";
import type { CommitFault } from "./faulty-store.ts";

/** A graph as numbers that pick from what is there, modulo its count. */
interface Sketch {
  readonly kind: number;
  readonly needs: readonly { readonly task: number; readonly how: number }[];
  readonly policy: number;
  readonly fails: number;
  readonly when: number;
  readonly limit: number;
  readonly body: readonly Sketch[];
}

/** What is done while the graph runs: which running task ends next, and what happens before. */
export interface Move {
  readonly pick: number;
  readonly before: Mishap | null;
}

/** The worker's node loses its lease; the worker goes to the other node; the next commit or reads fail. */
type Mishap = "loseLease" | "move" | "readsFail" | CommitFault;

export interface GraphProgram {
  readonly graph: Graph;
  readonly moves: readonly Move[];
  /** After so many moves a task is cancelled, 0 being the root; never when null. */
  readonly cancel: { readonly after: number; readonly task: number } | null;
}

const { body } = fc.letrec<{ sketch: Sketch; body: readonly Sketch[]; inner: readonly Sketch[] }>(
  (tie) => ({
    sketch: fc.record({
      kind: fc.nat(10),
      needs: fc.array(fc.record({ task: fc.nat(20), how: fc.nat(6) }), { maxLength: 3 }),
      policy: fc.nat(5),
      fails: fc.nat(9),
      when: fc.nat(11),
      limit: fc.nat(4),
      body: tie("inner"),
    }),
    body: fc.array(tie("sketch"), { minLength: 1, maxLength: 7, size: "max" }),
    inner: fc.oneof({ maxDepth: 2, depthSize: "small" }, fc.constant([]), tie("body")),
  }),
);

const policies = ["fail", "fail", "continue", "allow", "fail", "continue"] as const;

function toGraph(sketches: readonly Sketch[], isCopy: boolean): Graph {
  const tasks: Record<string, GraphTask> = {};
  const names: string[] = [];
  for (const [index, sketch] of sketches.entries()) {
    const name = `t${index}`;
    tasks[name] = toTask(sketch, { names: [...names], index, isCopy });
    names.push(name);
  }
  if (names.length === 0) return { tasks: { t0: job(0, false) }, result: "t0" };
  const result = names[(sketches[0]?.limit ?? 0) % names.length] ?? "t0";
  return { tasks, result };
}

function job(n: number, fails: boolean): { definition: string; input: object } {
  return { definition: "job", input: { n, fails } };
}

function toTask(
  { kind, needs, policy, fails, when, limit, body }: Sketch,
  { names, index, isCopy }: { names: readonly string[]; index: number; isCopy: boolean },
): GraphTask {
  const own: Source = isCopy ? { item: true } : { input: true };
  const taskOf = (task: number) => names[task % (names.length || 1)];
  const refs: Ref[] = [];
  const after: string[] = [];
  for (const [at, { task, how }] of needs.entries()) {
    const named = taskOf(task);
    if (named === undefined) refs.push({ ...own, at: `/r${at}` });
    else if (how === 0) after.push(named);
    else refs.push({ ...wayTo(named, own, how), at: `/r${at}` });
  }
  const rest = {
    refs,
    after,
    onFailure: policies[policy] ?? "fail",
    ...conditionOf(when, taskOf(when)),
  } as const;
  if (kind <= 6) return { ...rest, ...job(index + limit, fails === 0) };
  if (kind === 7) return { ...rest, graph: toGraph(body, false), input: { own: index } };
  if (kind === 10) return { ...rest, value: true, input: { n: index + limit } };
  const each = { ...rest, each: toGraph(body, true), ...(limit === 0 ? {} : { limit }) };
  const source = taskOf(fails);
  if (kind === 8 || source === undefined) {
    return { ...each, input: { items: Array.from({ length: fails % 5 }, (_, item) => item) } };
  }
  // `given` is what a copy calls its input.
  const items: Ref = { task: source, path: "/list", at: "/items" };
  return { ...each, input: {}, refs: [...refs, items, { task: source, path: "/n", at: "/given" }] };
}

function wayTo(task: string, own: Source, how: number): Source {
  if (how === 1) return { task };
  if (how === 2) return { task, path: "/n" };
  if (how === 3) return { all: [{ task }, own] };
  if (how === 4) return { of: { all: [own, { task, path: "/seen" }] }, path: "/1" };
  return { task, path: "/absent" };
}

/** Most often there is none; on what is written in the graph, or on what a task gave. */
function conditionOf(when: number, task: string | undefined): { when?: Condition } {
  if (when === 0) return { when: { input: true, path: "/no" } };
  if (when === 1) return { when: { input: true, path: "/no", equals: null } };
  if (task === undefined) return {};
  if (when === 2) return { when: { task, path: "/n" } };
  if (when === 3) return { when: { task, path: "/n", equals: 3 } };
  return {};
}

const mishaps: readonly Mishap[] = [
  "loseLease",
  "move",
  "move",
  "readsFail",
  "contended",
  "unknown",
  "lostAnswer",
  "unavailable",
];

export const graphPrograms: fc.Arbitrary<GraphProgram> = fc.record({
  graph: body.map((sketches) => toGraph(sketches, false)),
  moves: fc.array(
    fc.record({ pick: fc.nat(50), before: fc.nat(60).map((draw) => mishaps[draw] ?? null) }),
    { minLength: 1, maxLength: 30, size: "max" },
  ),
  cancel: fc.oneof(
    { weight: 3, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.record({ after: fc.nat(10), task: fc.constant(0) }) },
    { weight: 1, arbitrary: fc.record({ after: fc.nat(10), task: fc.nat(20) }) },
  ),
});
