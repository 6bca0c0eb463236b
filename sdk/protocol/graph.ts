import type { RetryPolicy } from "./task.ts";

/**
 * Where a value comes from once the tasks before it have ended. Of `path` and `preprocessor` the
 * path is picked first. A path is a JSON pointer; what it does not find is null.
 */
export type Source = {
  readonly path?: string;
  /** Source of a TypeScript function of one argument; over the wire always as text. */
  readonly preprocessor?: string;
} & (
  | { readonly task: string }
  /** The input of the pipeline that the task belongs to. */
  | { readonly input: true }
  /** Inside `each`: the item that this copy of the graph is for. */
  | { readonly item: true }
  /** Several sources as one value, under the same names or in the same order. */
  | { readonly all: Readonly<Record<string, Source>> | readonly Source[] }
  | { readonly of: Source }
);

/** A source's value goes into a task's input at this JSON pointer; `""` is the whole input. */
export type Ref = Source & { readonly at: string };

/** Without `equals` any value counts that JavaScript takes for true. */
export type Condition = Source & { readonly equals?: unknown };

/**
 * What a task's failure means for the tasks that depend on it: they fail, too; they go on with
 * `{ error }` in place of its output; or they go on with null.
 */
export type FailurePolicy = "fail" | "continue" | "allow";

interface Vertex {
  /** Refs fill it in; it is given to the task, the inner graph or each copy of it. */
  readonly input?: unknown;
  readonly refs?: readonly Ref[];
  /** Tasks that have to end first, although nothing of them is wanted. */
  readonly after?: readonly string[];
  /** Unless it holds, the task is skipped, and with it all that depend on it. */
  readonly when?: Condition;
  readonly onFailure?: FailurePolicy;
  readonly priority?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** A task of a definition; of a registered pipeline, too, which then runs as a part of this one. */
export interface DefinitionVertex extends Vertex {
  readonly definition: string;
  readonly version?: string;
  readonly startAt?: number;
  readonly timeoutMs?: number;
  readonly attemptTimeoutMs?: number;
  readonly retry?: RetryPolicy;
}

/** A graph within a graph: its tasks see its input only, and its output is that of its result. */
export interface GraphVertex extends Vertex {
  readonly graph: Graph;
}

/**
 * One copy of the graph for each of `items` in the input `{items, given?}`, `given` being the
 * copies' own input. The output is the list of their results, in the order of the items.
 */
export interface EachVertex extends Vertex {
  readonly each: Graph;
  /** So many copies are under way at once, at most. */
  readonly limit?: number;
}

/** Its input, once it is filled in, is its output: a value reshaped that no worker has to touch. */
export interface ValueVertex extends Vertex {
  readonly value: true;
}

export type GraphTask = DefinitionVertex | GraphVertex | EachVertex | ValueVertex;

/** Tasks by their names and, by way of sources and `after`, who waits for whom. */
export interface Graph {
  readonly tasks: Readonly<Record<string, GraphTask>>;
  /** Whose output is the output of the whole. */
  readonly result: string;
}

/** The graph of a running or ended root, as `task.graph` tells it. */
export interface GraphView {
  readonly root: string;
  readonly tasks: readonly GraphTaskView[];
  /** `from` has to end before `to` starts; both are task ids. */
  readonly edges: readonly { readonly from: string; readonly to: string }[];
}

export interface GraphTaskView {
  readonly id: string;
  /** Its name in its graph; a child's is `definition#occurrence`, an item's its index. */
  readonly name: string;
  readonly kind: TaskKind;
  readonly definition: string;
  readonly status: string;
  readonly parent?: string;
}

/** Who does the work: a worker, the tasks of a graph, the copies of one for a list, or nobody. */
export type TaskKind = "task" | "pipeline" | "each" | "value";

/** A pipeline as data. Its version is the hash of the canonical form of the rest. */
export interface PipelineBody {
  readonly graph: Graph;
  /** JSON Schemas, kept for readers and checked where there is one. */
  readonly inputSchema?: unknown;
  readonly outputSchema?: unknown;
}

export interface PipelineView extends PipelineBody {
  readonly name: string;
  readonly version: string;
  readonly registeredAt: number;
}
