import type { Graph, Source } from "../../../sdk/protocol/graph.ts";

interface Given {
  readonly input?: unknown;
  readonly item?: unknown;
}

type Functions = Readonly<Record<string, (input: unknown) => unknown>>;

/** What a graph means, in its shortest form. Throws for a task that is not there or needs itself. */
export function interpret(graph: Graph, functions: Functions, given: Given = {}): unknown {
  const outputs = new Map<string, unknown>();
  const outputOf = (name: string): unknown => {
    const vertex = graph.tasks[name];
    if (vertex === undefined) throw new Error(`no task ${name}`);
    if (!outputs.has(name)) {
      outputs.set(name, stillRunning);
      vertex.after?.forEach(outputOf);
      const input = (vertex.refs ?? []).reduce(
        (filled, ref) => put(filled, keysOf(ref.at), valueFrom(ref)),
        structuredClone(vertex.input),
      );
      outputs.set(name, run(vertex, input));
    }
    const output = outputs.get(name);
    if (output === stillRunning) throw new Error(`${name} needs itself`);
    return output;
  };
  const run = (vertex: Graph["tasks"][string], input: unknown): unknown => {
    if ("definition" in vertex) return functions[vertex.definition]?.(input);
    if ("graph" in vertex) return interpret(vertex.graph, functions, { input });
    if ("value" in vertex) return input;
    const { items, given: inner } = input as { items: unknown[]; given?: unknown };
    return items.map((item) => interpret(vertex.each, functions, { input: inner, item }));
  };
  const valueFrom = (source: Source): unknown => {
    const picked = keysOf(source.path ?? "").reduce(pick, baseFrom(source));
    if (source.preprocessor === undefined) return picked;
    return new Function(`return (${source.preprocessor})`)()(picked);
  };
  const baseFrom = (source: Source): unknown => {
    if ("task" in source) return outputOf(source.task);
    if ("of" in source) return valueFrom(source.of);
    if ("input" in source) return given.input;
    if ("item" in source) return given.item;
    if (Array.isArray(source.all)) return source.all.map(valueFrom);
    return Object.fromEntries(
      Object.entries(source.all).map(([key, part]) => [key, valueFrom(part)]),
    );
  };
  return outputOf(graph.result);
}

/** What is not there is null, as in a pipeline. */
export function pick(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return null;
  return (value as Record<string, unknown>)[key] ?? null;
}

const stillRunning = Symbol("still running");

function keysOf(pointer: string): string[] {
  const keys = pointer.split("/").slice(1);
  return keys.map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}

// The place has to be there, holding null: no ref may depend on another one's.
function put(value: unknown, [key, ...rest]: readonly string[], given: unknown): unknown {
  if (key === undefined) return given;
  const holder = value as Record<string, unknown>;
  if (!Object.hasOwn(holder, key)) throw new Error(`no place for ${key}`);
  if (rest.length === 0 && holder[key] !== null) throw new Error(`${key} is taken`);
  holder[key] = put(holder[key], rest, given);
  return value;
}
