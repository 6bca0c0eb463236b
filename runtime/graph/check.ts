import type { FailurePolicy, Graph, GraphTask, Source } from "../../sdk/protocol/graph.ts";
import { limits, namePattern } from "../../sdk/protocol/limits.ts";
import { isRecord } from "../../sdk/values/record.ts";
import { cyclesIn } from "./cycle.ts";
import { isPointer, misplacedIn } from "./pointer.ts";

const cycleNamesMax = 12;
const notPointer = `must be a JSON pointer of at most ${limits.depthMax} parts`;

/** One thing that is wrong with a graph, and where. */
export interface GraphProblem {
  readonly path: string;
  readonly message: string;
}

interface CheckOptions {
  /** Problems of a preprocessor, in words. */
  readonly checkSource: (source: string) => readonly string[];
  /** Problems of what a task of a definition is submitted with. */
  readonly checkVertex: (vertex: GraphTask) => readonly GraphProblem[];
}

const policies: ReadonlySet<unknown> = new Set<FailurePolicy>(["fail", "continue", "allow"]);
const ofAnyVertex = "input refs after when onFailure priority labels metadata".split(" ");
/** What may stand in each thing; a member that nobody reads is a mistake that nobody would notice. */
const members = {
  graph: new Set(["tasks", "result"]),
  definition: new Set([
    ...ofAnyVertex,
    ..."definition version startAt timeoutMs attemptTimeoutMs retry".split(" "),
  ]),
  inner: new Set([...ofAnyVertex, "graph"]),
  each: new Set([...ofAnyVertex, "each", "limit"]),
  value: new Set([...ofAnyVertex, "value"]),
  source: new Set("task input item all of path preprocessor".split(" ")),
  ref: new Set("task input item all of path preprocessor at".split(" ")),
  condition: new Set("task input item all of path preprocessor equals".split(" ")),
} as const;

/** What a vertex is, by the member that says so. */
const kinds = {
  definition: "definition",
  graph: "inner",
  each: "each",
  value: "value",
} as const;

/** Sources within sources. */
const nestingMax = 16;
const problemsMax = 100;

/** Everything that is wrong with what claims to be a graph; its shape is not taken for granted. */
export function checkGraph(graph: Graph, options: CheckOptions): readonly GraphProblem[] {
  const check = new GraphCheck(options);
  check.graph(graph, "graph", { depth: 0, hasItem: false });
  return check.problems.slice(0, problemsMax);
}

interface Within {
  readonly depth: number;
  readonly hasItem: boolean;
}

/** Where a source stands. */
interface Site {
  readonly graph: Graph;
  readonly within: Within;
  /** Collects the tasks that its vertex waits for. */
  readonly awaited: Set<string>;
}

class GraphCheck {
  readonly problems: GraphProblem[] = [];
  readonly #options: CheckOptions;
  readonly #seenSources = new Map<string, readonly string[]>();
  #tasks = 0;

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  graph(graph: Graph, path: string, within: Within): void {
    if (!isRecord(graph) || !isRecord(graph.tasks)) {
      return this.#note(path, "must be {tasks: {name: task}, result: name}");
    }
    // The tasks of the outermost lie one deep.
    if (within.depth >= limits.treeDepthMax) {
      return this.#note(path, `nests its tasks more than ${limits.treeDepthMax} deep`);
    }
    this.#members(graph, "graph", path);
    const names = Object.keys(graph.tasks);
    if (names.length === 0) this.#note(`${path}.tasks`, "must not be empty");
    const before = this.#tasks;
    this.#tasks += names.length;
    if (before <= limits.graphTasksMax && this.#tasks > limits.graphTasksMax) {
      this.#note(`${path}.tasks`, `are more than ${limits.graphTasksMax}`);
    }
    if (typeof graph.result !== "string" || !Object.hasOwn(graph.tasks, graph.result)) {
      this.#note(`${path}.result`, `names no task: ${quoted(graph.result)}`);
    }
    const dependencies = new Map(names.map((name) => [name, new Set<string>()]));
    for (const [name, awaited] of dependencies) {
      this.#vertex(name, { graph, path: `${path}.tasks.${name}`, within, awaited });
    }
    for (const cycle of cyclesIn(dependencies)) {
      this.#note(`${path}.tasks`, `wait for each other: ${shortened(cycle).join(" → ")}`);
    }
  }

  #vertex(name: string, at: Site & { path: string }): void {
    const { graph, path, within } = at;
    const vertex: unknown = graph.tasks[name];
    if (!namePattern.test(name)) this.#note(path, `its name must match ${namePattern.source}`);
    if (!isRecord(vertex)) return this.#note(path, "must be an object");
    const bodies = Object.keys(kinds).filter((body) => body in vertex);
    const [body] = bodies;
    if (bodies.length === 1) this.#members(vertex, kinds[body as keyof typeof kinds], path);
    this.#body(vertex as unknown as GraphTask, path, within);
    if (bodies.length !== 1) this.#note(path, "must have one of definition, graph, each and value");
    const { refs = [], after = [], when, onFailure = "fail" } = vertex;
    if (!policies.has(onFailure)) this.#note(`${path}.onFailure`, `is none of ${[...policies]}`);
    if (!Array.isArray(refs)) this.#note(`${path}.refs`, "must be a list");
    else if (refs.length > limits.referencesMax) {
      this.#note(`${path}.refs`, `are more than ${limits.referencesMax}`);
    } else {
      for (const [index, ref] of refs.entries()) this.#ref(ref, `${path}.refs[${index}]`, at);
      this.#places(vertex["input"], refs, path);
    }
    if (!Array.isArray(after)) this.#note(`${path}.after`, "must be a list of names");
    else for (const [index, it] of after.entries()) this.#known(it, `${path}.after[${index}]`, at);
    if (when === undefined) return;
    this.#members(when, "condition", `${path}.when`);
    this.#source(when, `${path}.when`, { ...at, nesting: 0 });
  }

  #body(vertex: GraphTask, path: string, within: Within): void {
    for (const problem of this.#options.checkVertex(vertex)) {
      this.#note(`${path}.${problem.path}`, problem.message);
    }
    const depth = within.depth + 1;
    if ("graph" in vertex) this.graph(vertex.graph, `${path}.graph`, { depth, hasItem: false });
    if ("value" in vertex && vertex.value !== true) this.#note(`${path}.value`, "must be true");
    if (!("each" in vertex)) return;
    this.graph(vertex.each, `${path}.each`, { depth, hasItem: true });
    const { limit } = vertex;
    if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1)) {
      this.#note(`${path}.limit`, "must be a positive integer");
    }
  }

  /** A list on the way to a place has to be long enough, and all of it is known by now. */
  #places(input: unknown, refs: readonly unknown[], path: string): void {
    const places = refs.map((ref) => (isRecord(ref) ? ref["at"] : undefined));
    if (!places.every(isPointer)) return;
    for (const { index, message } of misplacedIn(input ?? null, places)) {
      this.#note(`${path}.refs[${index}].at`, `leads nowhere: ${message}`);
    }
  }

  #ref(ref: unknown, path: string, at: Site): void {
    if (!isRecord(ref)) return this.#note(path, "must be an object");
    this.#members(ref, "ref", path);
    if (!isPointer(ref["at"])) this.#note(`${path}.at`, notPointer);
    this.#source(ref, path, { ...at, nesting: 0 });
  }

  #source(source: unknown, path: string, at: Site & { nesting: number }): void {
    if (!isRecord(source)) return this.#note(path, "must be an object");
    if (at.nesting > nestingMax) return this.#note(path, `nests more than ${nestingMax} deep`);
    const bases = ["task", "input", "item", "all", "of"].filter((base) => base in source);
    if (bases.length !== 1) this.#note(path, "must have one of task, input, item, all and of");
    const { path: pointer, preprocessor } = source as Source;
    if (pointer !== undefined && !isPointer(pointer)) {
      this.#note(`${path}.path`, notPointer);
    }
    if (preprocessor !== undefined) this.#preprocessor(preprocessor, `${path}.preprocessor`);
    const deeper = { ...at, nesting: at.nesting + 1 };
    if ("task" in source) this.#known(source["task"], `${path}.task`, at);
    if ("item" in source && !at.within.hasItem) this.#note(`${path}.item`, "is not inside an each");
    for (const flag of ["input", "item"]) {
      if (flag in source && source[flag] !== true) this.#note(`${path}.${flag}`, "must be true");
    }
    if ("of" in source) this.#part(source["of"], `${path}.of`, deeper);
    if (!("all" in source)) return;
    const { all } = source;
    if (typeof all !== "object" || all === null)
      return this.#note(`${path}.all`, "must be a list or an object");
    for (const [name, part] of Object.entries(all)) {
      this.#part(part, `${path}.all.${name}`, deeper);
    }
  }

  #part(source: unknown, path: string, at: Site & { nesting: number }): void {
    this.#members(source, "source", path);
    this.#source(source, path, at);
  }

  #members(value: unknown, kind: keyof typeof members, path: string): void {
    if (!isRecord(value)) return;
    for (const name of Object.keys(value)) {
      if (!members[kind].has(name)) this.#note(`${path}.${name}`.slice(0, 300), "is unknown here");
    }
  }

  #preprocessor(source: unknown, path: string): void {
    if (typeof source !== "string") return this.#note(path, "must be the text of a function");
    const problems = this.#seenSources.get(source) ?? this.#options.checkSource(source);
    this.#seenSources.set(source, problems);
    for (const problem of problems) this.#note(path, problem);
  }

  #known(name: unknown, path: string, { graph: { tasks }, awaited }: Site): void {
    if (typeof name === "string" && Object.hasOwn(tasks, name)) awaited.add(name);
    else this.#note(path, `names no task: ${quoted(name)}`);
  }

  #note(path: string, message: string): void {
    if (this.problems.length < problemsMax) this.problems.push({ path, message });
  }
}

function quoted(name: unknown): string {
  return (JSON.stringify(name) ?? "nothing").slice(0, limits.nameLengthMax);
}

/** Of a long cycle, how it begins and ends. */
function shortened(names: readonly string[]): readonly string[] {
  if (names.length <= cycleNamesMax) return names;
  const half = cycleNamesMax / 2;
  return [
    ...names.slice(0, half),
    `… ${names.length - cycleNamesMax} more …`,
    ...names.slice(-half),
  ];
}
