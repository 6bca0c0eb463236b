import type { Graph, GraphTask, Source } from "../../sdk/protocol/graph.ts";
import type { TaskPlace } from "../store/rows.ts";

/** Where a child stands in the graph of its parent. */
export interface Position {
  readonly vertex: GraphTask;
  /** Of a copy inside an `each`: which item it is for. */
  readonly item: number | null;
}

/** A copy's name: unique among all copies, which are children of one parent. */
export function nameOf(vertex: string, item: number | null): string {
  return item === null ? vertex : `${item}.${vertex}`;
}

/** Null: the graph has no such task. */
export function positionOf(name: string, { kind, graph }: ParsedPlace): Position | null {
  const isCopy = kind === "each" && name.includes(".");
  const vertex = graph.tasks[isCopy ? vertexOf(name) : name];
  if (vertex === undefined) return null;
  return { vertex, item: isCopy ? Number.parseInt(name, 10) : null };
}

/** Of a copy's name, what it is called in its graph. */
export function vertexOf(name: string): string {
  return name.slice(name.indexOf(".") + 1);
}

/** A parent's place with its graph as data. */
export interface ParsedPlace {
  readonly kind: Exclude<TaskPlace["kind"], "value">;
  readonly graph: Graph;
}

/** Every source of a vertex, those of its condition included. */
export function sourcesOf({ refs = [], when }: GraphTask): readonly Source[] {
  return when === undefined ? refs : [...refs, when];
}

/** A source and all that it is made of. */
export function* withParts(source: Source): Generator<Source> {
  yield source;
  if ("of" in source) yield* withParts(source.of);
  if ("all" in source) for (const part of Object.values(source.all)) yield* withParts(part);
}

export function needsPreprocessor(source: Source): boolean {
  for (const { preprocessor } of withParts(source)) if (preprocessor !== undefined) return true;
  return false;
}

/** The names of the tasks whose outputs are wanted, in the order in which sources speak of them. */
export function tasksOf(sources: readonly Source[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const source of sources) {
    for (const part of withParts(source)) if ("task" in part) names.add(part.task);
  }
  return names;
}

/** The names of the tasks that a vertex waits for. */
export function dependenciesOf(vertex: GraphTask): ReadonlySet<string> {
  return new Set([...(vertex.after ?? []), ...tasksOf(sourcesOf(vertex))]);
}

/** Nothing has to end, and nobody's code has to run, for its input to be known. */
export function isPlain(vertex: GraphTask): boolean {
  if (vertex.when !== undefined || dependenciesOf(vertex).size > 0) return false;
  return !sourcesOf(vertex).some(needsPreprocessor);
}

/** The tasks whose failures are the failure of the whole: those nobody waits for, and the result. */
export function sinksOf(graph: Graph): ReadonlySet<string> {
  const awaited = new Set<string>();
  for (const vertex of Object.values(graph.tasks)) {
    for (const name of dependenciesOf(vertex)) awaited.add(name);
  }
  const names = Object.keys(graph.tasks);
  return new Set(names.filter((name) => !awaited.has(name) || name === graph.result));
}
