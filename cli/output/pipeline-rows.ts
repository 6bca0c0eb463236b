import { pictureOf } from "../../sdk/graph/picture.ts";
import type { Graph, PipelineView } from "../../sdk/index.ts";
import { formatAge } from "./age.ts";
import { type Column, formatFacts } from "./table.ts";
import { formatTree } from "./tree.ts";

/** `now`: epoch milliseconds that ages count from. */
export function pipelineColumns(now: number): readonly Column<PipelineView>[] {
  return [
    ["NAME", ({ name }) => name],
    ["VERSION", ({ version }) => version],
    ["TASKS", ({ graph }) => `${countTasks(graph)}`],
    ["AGE", ({ registeredAt }) => formatAge(now - registeredAt)],
  ];
}

/** Everything about a pipeline, and its tasks as a tree. */
export function formatPipeline(pipeline: PipelineView, now: number): string {
  const { name, version, graph, inputSchema, outputSchema, registeredAt } = pipeline;
  const facts = formatFacts([
    ["Name", name],
    ["Version", version],
    [
      "Registered",
      `${new Date(registeredAt).toISOString()} (${formatAge(now - registeredAt)} ago)`,
    ],
    ["Tasks", `${countTasks(graph)}`],
    ["Result", graph.result],
    ["Input", inputSchema === undefined ? undefined : JSON.stringify(inputSchema, null, 2)],
    ["Output", outputSchema === undefined ? undefined : JSON.stringify(outputSchema, null, 2)],
  ]);
  return `${facts}\n\n${formatTree(pictureOf(name, graph))}`;
}

/** Graphs within the graph included; the copies of an `each` are not known before it runs. */
function countTasks({ tasks }: Graph): number {
  return Object.values(tasks).reduce((count, task) => {
    if ("graph" in task) return count + 1 + countTasks(task.graph);
    return "each" in task ? count + 1 + countTasks(task.each) : count + 1;
  }, 0);
}
