import type { Command } from "commander";
import type { RestartOptions } from "../../sdk/index.ts";
import type { Restarted } from "../../sdk/protocol/service.ts";
import { askGateway, withClient } from "../gateway-client.ts";
import {
  addClientOptions,
  addExamples,
  type ClientFlags,
  type Format,
  formatOption,
} from "../options.ts";
import { print, printJson } from "../output/terminal.ts";
import { readClientSettings } from "../settings.ts";
import { keyFlag, toTaskRef } from "./task-ref.ts";

interface RestartFlags extends ClientFlags {
  readonly key?: string;
  readonly newTree?: boolean;
  readonly from?: string;
  readonly output?: Format;
}

export function addRestartCommand(program: Command): void {
  const restart = program
    .command("restart")
    .description("Do again what failed, and keep what succeeded")
    .argument("[id]", "the task")
    .option(...keyFlag)
    .option("--new-tree", "do the whole tree again, under a new root")
    .option("--from <task>", "in a new tree: only this task, what had failed, and what follows")
    .addOption(formatOption())
    .action(restartTask);
  addClientOptions(restart);
  addExamples(restart, [
    "ktk restart 01989f5e-8a4c-7cc2-b5d1-6e3a7f0c9b21",
    "ktk restart --key report-2026-08 --new-tree",
  ]);
}

async function restartTask(id: string | undefined, flags: RestartFlags): Promise<void> {
  const ref = toTaskRef(id, flags.key);
  const settings = await readClientSettings(flags);
  const { id: of } = await withClient(settings, (client, answered) => answered(client.get(ref)));
  // A handle does not tell how many go on.
  const params = { id: of, ...optionsOf(flags) };
  const answer = await askGateway<Restarted>(settings, "task.restart", params);
  if (flags.output === "json") printJson({ ...answer, of });
  else if (answer.id === of) print(`task ${of} goes on`);
  else print(`task ${answer.id} does again what ${of} did`);
}

function optionsOf({ newTree, from }: RestartFlags): RestartOptions {
  if (from !== undefined) return { mode: "newTree", from };
  return newTree === true ? { mode: "newTree" } : {};
}
