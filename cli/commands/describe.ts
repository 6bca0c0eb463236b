import type { Command } from "commander";
import type { JournalEvent, PipelineView, TaskView } from "../../sdk/index.ts";
import { type Answered, askGateway, withClient } from "../gateway-client.ts";
import {
  addClientOptions,
  addExamples,
  type ClientFlags,
  type Format,
  formatOption,
} from "../options.ts";
import { eventColumns } from "../output/event-rows.ts";
import { formatPipeline } from "../output/pipeline-rows.ts";
import { formatTable } from "../output/table.ts";
import { formatTask } from "../output/task-facts.ts";
import { print, printJson } from "../output/terminal.ts";
import { readClientSettings } from "../settings.ts";
import { keyFlag, toTaskRef } from "./task-ref.ts";

interface DescribeFlags extends ClientFlags {
  readonly key?: string;
  readonly output?: Format;
}

export function addDescribeCommand(program: Command): void {
  const describe = program
    .command("describe")
    .description("Show everything about one task or pipeline");
  addDescribeTask(describe);
  addDescribePipeline(describe);
}

function addDescribeTask(describe: Command): void {
  const task = describe
    .command("task")
    .description("Show a task: its status, why it waits, its times, its events")
    .argument("[id]", "the task")
    .option(...keyFlag)
    .addOption(formatOption())
    .action(describeTask);
  addClientOptions(task);
  addExamples(task, [
    "ktk describe task 01989f5e-8a4c-7cc2-b5d1-6e3a7f0c9b21",
    "ktk describe task --key report-2026-08 -o json",
  ]);
}

function addDescribePipeline(describe: Command): void {
  const pipeline = describe
    .command("pipeline")
    .description("Show a registered pipeline: its schemas, and its tasks as a tree")
    .argument("<name>", "the pipeline")
    .option("--version <version>", "in place of the latest")
    .addOption(formatOption())
    .action(describePipeline);
  addClientOptions(pipeline);
  addExamples(pipeline, ["ktk describe pipeline nightly", "ktk describe pipeline nightly -o json"]);
}

interface DescribePipelineFlags extends ClientFlags {
  readonly version?: string;
  readonly output?: Format;
}

async function describePipeline(name: string, flags: DescribePipelineFlags): Promise<void> {
  const { version, output } = flags;
  const params = { name, ...(version !== undefined && { version }) };
  const settings = await readClientSettings(flags);
  const pipeline = await askGateway<PipelineView>(settings, "pipeline.get", params);
  if (output === "json") printJson(pipeline);
  else print(formatPipeline(pipeline, Date.now()));
}

async function describeTask(id: string | undefined, flags: DescribeFlags): Promise<void> {
  const ref = toTaskRef(id, flags.key);
  await withClient(await readClientSettings(flags), async (client, answered) => {
    const task = await answered(client.get(ref));
    const events = await readJournal(client.handle(task.id).events(), { task, answered });
    if (flags.output === "json") {
      printJson({ task, events });
      return;
    }
    print(formatTask(task, Date.now()));
    print(`\n${formatTable(eventColumns(), events)}`);
  });
}

/** Up to where the task was when it was read, so that both tell the same story. */
async function readJournal(
  coming: AsyncIterator<JournalEvent>,
  { task, answered }: { task: TaskView; answered: Answered },
): Promise<JournalEvent[]> {
  const events: JournalEvent[] = [];
  for (;;) {
    const { done, value } = await answered(coming.next());
    if (done) return events;
    events.push(value);
    if (value.seq < task.seq) continue;
    await coming.return?.();
    return events;
  }
}
