import type { Command } from "commander";
import type { PipelineView } from "../../sdk/index.ts";
import { askGateway } from "../gateway-client.ts";
import {
  addClientOptions,
  addExamples,
  type ClientFlags,
  type Format,
  formatOption,
} from "../options.ts";
import { print, printJson } from "../output/terminal.ts";
import { readPipelineFile } from "../pipeline-file.ts";
import { readClientSettings } from "../settings.ts";
import { UsageError } from "../usage-error.ts";

interface ApplyFlags extends ClientFlags {
  readonly file: string;
  readonly name?: string;
  readonly output?: Format;
}

export function addApplyCommand(program: Command): void {
  const apply = program
    .command("apply")
    .description("Register a pipeline from a file")
    .requiredOption("-f, --file <file>", "YAML or JSON; - for standard input")
    .option("--name <name>", "in place of the name in the file")
    .addOption(formatOption())
    .action(applyFile);
  addClientOptions(apply);
  addExamples(apply, ["ktk apply -f pipeline.yaml", "ktk apply -f stages.yaml --name nightly"]);
  apply.addHelpText(
    "after",
    "\nThe file holds {name, graph, inputSchema?, outputSchema?}, or {name, stages, jobs}.\nThe same content is the same version: applying it again changes nothing.",
  );
}

async function applyFile(flags: ApplyFlags): Promise<void> {
  const file = readPipelineFile(flags.file);
  const name = flags.name ?? file.name;
  if (name === undefined) throw new UsageError(`${flags.file} has no name; give one with --name`);
  const settings = await readClientSettings(flags);
  const pipeline = await askGateway<PipelineView>(settings, "pipeline.register", { ...file, name });
  if (flags.output === "json") printJson(pipeline);
  else print(`pipeline ${pipeline.name} registered, version ${pipeline.version}`);
}
