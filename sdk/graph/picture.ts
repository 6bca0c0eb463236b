import type { Graph, GraphTask, GraphTaskView, GraphView, Source } from "../protocol/graph.ts";

/** A graph that does not run yet as if it were one that does: ids are paths, statuses are empty. */
export function pictureOf(name: string, graph: Graph): GraphView {
  const root = { id: name, name, kind: "pipeline", definition: name, status: "" } as const;
  const tasks: GraphTaskView[] = [root];
  const edges: { from: string; to: string }[] = [];
  addTasks(graph, name, { tasks, edges });
  return { root: name, tasks, edges };
}

interface Picture {
  readonly tasks: GraphTaskView[];
  readonly edges: { from: string; to: string }[];
}

function addTasks(graph: Graph, parent: string, picture: Picture): void {
  for (const [name, task] of Object.entries(graph.tasks)) {
    const id = `${parent} ${name}`;
    const kind = kindOf(task);
    const definition = "definition" in task ? task.definition : kind;
    picture.tasks.push({ id, name, kind, definition, status: "", parent });
    const before = [...namesBefore(task)];
    picture.edges.push(...before.map((from) => ({ from: `${parent} ${from}`, to: id })));
    if ("graph" in task) addTasks(task.graph, id, picture);
    if ("each" in task) addTasks(task.each, id, picture);
  }
}

function kindOf(task: GraphTask): GraphTaskView["kind"] {
  if ("each" in task) return "each";
  if ("value" in task) return "value";
  return "graph" in task ? "pipeline" : "task";
}

function namesBefore({ after = [], refs = [], when }: GraphTask): ReadonlySet<string> {
  const sources: readonly Source[] = when === undefined ? refs : [...refs, when];
  return new Set([...after, ...sources.flatMap(namesIn)]);
}

function namesIn(source: Source): readonly string[] {
  if ("task" in source) return [source.task];
  if ("of" in source) return namesIn(source.of);
  return "all" in source ? Object.values(source.all).flatMap((part: Source) => namesIn(part)) : [];
}
