import type { Command } from "commander";
import { exitCodes } from "../failure.ts";
import { withClient } from "../gateway-client.ts";
import {
  addClientOptions,
  addExamples,
  type ClientFlags,
  type Format,
  formatOption,
} from "../options.ts";
import { note, print, printJson } from "../output/terminal.ts";
import { readClientSettings } from "../settings.ts";
import { keyFlag, toTaskRef } from "./task-ref.ts";

interface CancelFlags extends ClientFlags {
  readonly key?: string;
  readonly reason?: string;
  readonly output?: Format;
}

export function addCancelCommand(program: Command): void {
  const cancel = program
    .command("cancel")
    .description("Ask for the end of a task")
    .argument("[id]", "the task")
    .option(...keyFlag)
    .option("-r, --reason <text>", "kept in the task's journal")
    .addOption(formatOption())
    .action(cancelTask);
  addClientOptions(cancel);
  addExamples(cancel, [
    "ktk cancel 01989f5e-8a4c-7cc2-b5d1-6e3a7f0c9b21",
    'ktk cancel --key report-2026-08 --reason "wrong month"',
  ]);
  cancel.addHelpText(
    "after",
    "\nExits with 1 when the task had ended before, unless it was cancelled.",
  );
}

async function cancelTask(id: string | undefined, flags: CancelFlags): Promise<void> {
  const ref = toTaskRef(id, flags.key);
  await withClient(await readClientSettings(flags), async (client, answered) => {
    const task = await answered(client.get(ref));
    const answer = await answered(client.handle(task.id).cancel(flags.reason));
    const { status, accepted } = answer;
    if (flags.output === "json") printJson({ id: task.id, ...answer });
    if (accepted || status === "cancelled") {
      if (flags.output !== "json")
        print(`task ${task.id} ${accepted ? status : `was ${status} before`}`);
      return;
    }
    note(`error: task ${task.id} had ${status} before`);
    process.exitCode = exitCodes.failed;
  });
}
