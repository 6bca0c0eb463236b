import type { Graph, GraphTask, Source } from "../../sdk/protocol/graph.ts";

/** How a task ended, in as many words as two runs of it have in common. */
export interface End {
  readonly status: "succeeded" | "failed" | "skipped";
  readonly output: unknown;
}

interface Scope {
  readonly input: unknown;
  readonly item?: unknown;
}

/** What the workers of generated graphs do: null, it fails. */
export function doJob(input: unknown): unknown {
  const { n, fails } = input as { n: number; fails: boolean };
  if (fails) return null;
  return { n, list: Array.from({ length: n % 4 }, (_, index) => index), seen: digest(input) };
}

/**
 * What a graph comes to, task by task, in its shortest form. `ends` gets the end of each under its
 * path; what was never laid out is not there.
 */
export function interpret(
  graph: Graph,
  scope: Scope,
  { ends, path }: { ends: Map<string, End>; path: (name: string) => string },
): End {
  const endOf = (name: string): End => {
    const known = ends.get(path(name));
    if (known !== undefined) return known;
    const end = decide(graph.tasks[name] as GraphTask, path(name));
    ends.set(path(name), end);
    return end;
  };
  const decide = (vertex: GraphTask, at: string): End => {
    const before = needs(vertex).map((name) => ({ ...endOf(name), policy: policyOf(graph, name) }));
    if (before.some(({ status, policy }) => status === "failed" && policy === "fail"))
      return failed;
    if (before.some(({ status }) => status === "skipped")) return skipped;
    const { when } = vertex;
    if (when !== undefined && !holds(valueFrom(when), when.equals, "equals" in when))
      return skipped;
    const input = { ...(vertex.input as Record<string, unknown>) };
    for (const ref of vertex.refs ?? []) input[ref.at.slice(1)] = valueFrom(ref);
    return runVertex(vertex, input, { ends, at });
  };
  const valueFrom = (source: Source): unknown => {
    const part = (value: unknown) => (source.path === undefined ? value : pick(value, source.path));
    if ("task" in source) return part(outputOf(endOf(source.task), policyOf(graph, source.task)));
    if ("input" in source) return part(scope.input);
    if ("item" in source) return part(scope.item);
    if ("of" in source) return part(valueFrom(source.of));
    return part((source.all as readonly Source[]).map(valueFrom));
  };
  const all = Object.keys(graph.tasks).map((name) => [name, endOf(name)] as const);
  const awaited = new Set(Object.values(graph.tasks).flatMap(needs));
  const isBroken = all.some(([name, { status }]) => {
    const counts = !awaited.has(name) || name === graph.result;
    return counts && status === "failed" && policyOf(graph, name) === "fail";
  });
  if (isBroken) return failed;
  const output = outputOf(endOf(graph.result), policyOf(graph, graph.result));
  return { status: "succeeded", output };
}

const failed: End = { status: "failed", output: null };
const skipped: End = { status: "skipped", output: null };

function runVertex(
  vertex: GraphTask,
  input: Record<string, unknown>,
  { ends, at }: { ends: Map<string, End>; at: string },
): End {
  if ("definition" in vertex) {
    const output = doJob(input);
    return output === null ? failed : { status: "succeeded", output };
  }
  if ("graph" in vertex) {
    return interpret(vertex.graph, { input }, { ends, path: (name) => `${at}/${name}` });
  }
  if ("value" in vertex) return { status: "succeeded", output: input };
  const { items, given = null } = input;
  if (!Array.isArray(items)) return failed;
  const copies = items.map((item, index) => {
    const path = (name: string) => `${at}/${index}.${name}`;
    return interpret(vertex.each, { input: given, item }, { ends, path });
  });
  if (copies.some(({ status }) => status === "failed")) return failed;
  return { status: "succeeded", output: copies.map(({ output }) => output) };
}

function needs({ after = [], refs = [], when }: GraphTask): string[] {
  const named = (source: Source): string[] => {
    if ("task" in source) return [source.task];
    if ("of" in source) return named(source.of);
    return "all" in source ? Object.values(source.all).flatMap(named) : [];
  };
  return [...after, ...refs.flatMap(named), ...(when === undefined ? [] : named(when))];
}

function policyOf({ tasks }: Graph, name: string): NonNullable<GraphTask["onFailure"]> {
  return tasks[name]?.onFailure ?? "fail";
}

function outputOf({ status, output }: End, policy: string): unknown {
  return status === "failed" && policy === "continue" ? { error: true } : output;
}

function holds(value: unknown, wanted: unknown, isCompared: boolean): boolean {
  return isCompared ? digest(value) === digest(wanted) : Boolean(value);
}

function pick(value: unknown, path: string): unknown {
  const found = (value as Record<string, unknown> | null)?.[path.slice(1)];
  return found ?? null;
}

/** Of a value in which errors are all alike: what they say depends on ids. */
export function digest(value: unknown): string {
  const text = JSON.stringify(value, (_, it: unknown) =>
    typeof it === "object" && it !== null && "error" in it ? { error: true } : it,
  );
  let hash = 0;
  for (const char of text) hash = (Math.imul(hash, 31) + (char.codePointAt(0) ?? 0)) | 0;
  return hash.toString(36);
}
