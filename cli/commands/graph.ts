import { type Command, Option } from "commander";
import { toMermaid } from "../../sdk/graph/render.ts";
import type { GraphView } from "../../sdk/index.ts";
import { askGateway } from "../gateway-client.ts";
import { addClientOptions, addExamples, type ClientFlags } from "../options.ts";
import { print, printJson } from "../output/terminal.ts";
import { formatTree } from "../output/tree.ts";
import { readClientSettings } from "../settings.ts";
import { keyFlag, toTaskRef } from "./task-ref.ts";

interface GraphFlags extends ClientFlags {
  readonly key?: string;
  readonly output?: "json" | "mermaid";
}

export function addGraphCommand(program: Command): void {
  const graph = program
    .command("graph")
    .description("Show the tree of tasks that a task is in, with their statuses")
    .argument("[id]", "any task of the tree")
    .option(...keyFlag)
    .addOption(
      new Option("-o, --output <format>", "instead of a tree").choices(["json", "mermaid"]),
    )
    .action(showGraph);
  addClientOptions(graph);
  addExamples(graph, [
    "ktk graph 01989f5e-8a4c-7cc2-b5d1-6e3a7f0c9b21",
    "ktk graph --key nightly-2026-08 -o mermaid > nightly.mmd",
  ]);
}

async function showGraph(id: string | undefined, flags: GraphFlags): Promise<void> {
  const ref = toTaskRef(id, flags.key);
  const view = await askGateway<GraphView>(await readClientSettings(flags), "task.graph", ref);
  if (flags.output === "json") printJson(view);
  else print(flags.output === "mermaid" ? toMermaid(view) : formatTree(view));
}
