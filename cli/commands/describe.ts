import type { Command } from "commander";
import type { JournalEvent, Kantoku, TaskView } from "../../sdk/index.ts";
import { withClient } from "../gateway-client.ts";
import {
  addClientOptions,
  addExamples,
  type ClientFlags,
  type Format,
  formatOption,
} from "../options.ts";
import { eventColumns } from "../output/event-rows.ts";
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
  const describe = program.command("describe").description("Show everything about one task");
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

async function describeTask(id: string | undefined, flags: DescribeFlags): Promise<void> {
  const ref = toTaskRef(id, flags.key);
  await withClient(await readClientSettings(flags), async (client) => {
    const task = await client.get(ref);
    const events = await readJournal(client, task);
    if (flags.output === "json") {
      printJson({ task, events });
      return;
    }
    print(formatTask(task, Date.now()));
    print(`\n${formatTable(eventColumns(), events)}`);
  });
}

/** Up to where the task was when it was read, so that both tell the same story. */
async function readJournal(client: Kantoku, { id, seq }: TaskView): Promise<JournalEvent[]> {
  const events: JournalEvent[] = [];
  for await (const event of client.handle(id).events()) {
    events.push(event);
    if (event.seq >= seq) break;
  }
  return events;
}
