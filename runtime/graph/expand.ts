import { KantokuError } from "../../sdk/errors.ts";
import type { Graph, GraphTask, TaskKind } from "../../sdk/protocol/graph.ts";
import { limits } from "../../sdk/protocol/limits.ts";
import { encodePayload } from "../../sdk/values/payload.ts";
import type { TaskIdentity } from "../store/rows.ts";
import { fillPlain, type Scope } from "./evaluate.ts";
import { dependenciesOf, isPlain, nameOf } from "./vertices.ts";

/** A task that is to be made, and what it waits for. */
export interface Birth {
  readonly identity: TaskIdentity;
  readonly vertex: GraphTask;
  /** Of a registered pipeline the one that it was made with; else as the vertex has it. */
  readonly version: string;
  readonly dependsOn: readonly string[];
  /** Its input is not known yet, or is not known to be wanted. */
  readonly isBlocked: boolean;
}

export interface Expansion {
  readonly births: readonly Birth[];
  /**
   * All of them: the parent ends when they have. The last ones alone would not do, for one that is
   * cancelled ends before what it waits for.
   */
  readonly members: readonly string[];
}

interface ExpandOptions {
  readonly mintId: () => string;
  readonly now: number;
  /** Those definitions that are registered pipelines, by `pipelineKey`. */
  readonly pipelines: ReadonlyMap<string, PipelineVersion>;
}

/** A definition as a graph names it. */
export function pipelineKey({ definition, version = "" }: DefinitionRef): string {
  return JSON.stringify([definition, version]);
}

export interface DefinitionRef {
  readonly definition: string;
  readonly version?: string;
}

export interface PipelineVersion {
  readonly version: string;
  readonly graph: Graph;
}

/** The parent of what is to be made, as it is while it is being made itself. */
export type Parent = Pick<
  TaskIdentity,
  "id" | "namespace" | "root" | "trace" | "priority" | "place"
>;

/** All tasks of a pipeline, for an input. @throws KantokuError `too-large` for a filled-in input */
export function expandGraph(
  graph: Graph,
  { parent, input, ...options }: { parent: Parent; input: unknown } & ExpandOptions,
): Expansion {
  const copy = { parent, item: null, ids: idsFor(graph, options.mintId), after: new Map() };
  const births = birthsOf(graph, { ...copy, scope: scopeOf(input) }, options);
  return { births, members: births.map(({ identity }) => identity.id) };
}

/**
 * All tasks of all copies for the items of `{items, given?}`. A limit is kept by edges: a copy
 * begins when the one that is so many places before it has ended.
 */
export function expandEach(
  graph: Graph,
  {
    parent,
    items,
    given,
    limit,
    ...options
  }: { parent: Parent; items: readonly unknown[]; given: unknown; limit?: number } & ExpandOptions,
): Expansion {
  const copies = items.map(() => idsFor(graph, options.mintId));
  const births = items.flatMap((item, index) => {
    const before = limit === undefined ? [] : [...(copies[index - limit]?.values() ?? [])];
    const ids = copies[index] ?? new Map<string, string>();
    const starts = Object.keys(graph.tasks).filter(
      (name) => dependenciesOf(graph.tasks[name] as GraphTask).size === 0,
    );
    const after = new Map(before.length === 0 ? [] : starts.map((name) => [name, before]));
    return birthsOf(
      graph,
      { parent, item: index, ids, after, scope: scopeOf(given, item) },
      options,
    );
  });
  return { births, members: births.map(({ identity }) => identity.id) };
}

interface Copy {
  readonly parent: Parent;
  readonly item: number | null;
  readonly ids: ReadonlyMap<string, string>;
  /** What tasks that depend on nothing wait for all the same. */
  readonly after: ReadonlyMap<string, readonly string[]>;
  readonly scope: Scope;
}

function birthsOf(graph: Graph, copy: Copy, options: ExpandOptions): Birth[] {
  return Object.entries(graph.tasks).map(([name, vertex]) => {
    const { ids, after } = copy;
    const before = after.get(name) ?? [];
    const dependsOn = [...Array.from(dependenciesOf(vertex), (it) => idOf(ids, it)), ...before];
    const isBlocked = before.length > 0 || !isPlain(vertex);
    const input = isBlocked
      ? vertex.input
      : fillPlain(vertex.input ?? null, vertex.refs ?? [], copy.scope);
    const made = identify(nameOf(name, copy.item), { vertex, input, copy, options, name });
    return { ...made, vertex, dependsOn, isBlocked };
  });
}

function identify(
  name: string,
  given: { vertex: GraphTask; input: unknown; copy: Copy; options: ExpandOptions; name: string },
): Pick<Birth, "identity" | "version"> {
  const { vertex, input, copy, options } = given;
  const { parent } = copy;
  const pipeline = "definition" in vertex ? options.pipelines.get(pipelineKey(vertex)) : undefined;
  if (pipeline !== undefined) assertNoAttempts({ ...vertex }, `tasks.${name}`, ofTasks);
  const kind = kindOf(vertex, pipeline !== undefined);
  const graph = "each" in vertex ? vertex.each : "graph" in vertex ? vertex.graph : pipeline?.graph;
  const identity: TaskIdentity = {
    id: idOf(copy.ids, given.name),
    namespace: parent.namespace,
    definition: "definition" in vertex ? vertex.definition : kind,
    key: null,
    priority: vertex.priority ?? parent.priority,
    input: encodePayload(input, { at: `tasks.${name}.input` }),
    labels: JSON.stringify(vertex.labels ?? {}),
    metadata: JSON.stringify(vertex.metadata ?? {}),
    root: parent.root,
    parent: parent.id,
    trace: parent.trace,
    createdAt: options.now,
    place: {
      kind,
      name,
      graph: graph === undefined ? null : JSON.stringify(graph),
      depth: (parent.place?.depth ?? 0) + 1,
      isAwaited: true,
    },
  };
  return { identity, version: pipeline?.version ?? versionOf(vertex) };
}

/** "": whichever a worker serves, or none, for what has no versions. */
export function versionOf(vertex: GraphTask): string {
  return "definition" in vertex ? (vertex.version ?? "") : "";
}

function kindOf(vertex: GraphTask, isPipeline: boolean): TaskKind {
  if ("value" in vertex) return "value";
  if ("each" in vertex) return "each";
  return "graph" in vertex || isPipeline ? "pipeline" : "task";
}

function scopeOf(input: unknown, item?: unknown): Scope {
  return { input, item, valueOf: () => null };
}

function idsFor(graph: Graph, mintId: () => string): ReadonlyMap<string, string> {
  return new Map(Object.keys(graph.tasks).map((name) => [name, mintId()]));
}

function idOf(ids: ReadonlyMap<string, string>, name: string): string {
  const id = ids.get(name);
  if (id === undefined) throw new RangeError(`the graph has no task ${name}`);
  return id;
}

const ofAttempts = ["attemptTimeoutMs", "retry"] as const;

/** Within a graph: what begins when its turn comes has no start of its own but by its tasks. */
const ofTasks = ["startAt", ...ofAttempts] as const;

/** @throws KantokuError for what only a task that a worker does can have */
export function assertNoAttempts(
  asked: Readonly<Record<string, unknown>>,
  at: string,
  names: readonly string[] = ofAttempts,
): void {
  const misplaced = names.filter((name) => asked[name] !== undefined);
  if (misplaced.length === 0) return;
  throw new KantokuError(
    "invalid-params",
    `${at} is a pipeline and has no ${misplaced.join(", ")}: say it of its tasks`,
    { data: { path: misplaced[0] ?? at } },
  );
}

/** Whether a task at this depth may have tasks under it. */
export function isTooDeep(parent: Parent): boolean {
  return (parent.place?.depth ?? 0) >= limits.treeDepthMax;
}
