import { Command } from "commander";
import { addApplyCommand } from "./commands/apply.ts";
import { addCancelCommand } from "./commands/cancel.ts";
import { addDescribeCommand } from "./commands/describe.ts";
import { addDevCommand } from "./commands/dev.ts";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addGetCommand } from "./commands/get.ts";
import { addGraphCommand } from "./commands/graph.ts";
import { addRestartCommand } from "./commands/restart.ts";
import { addRunCommand } from "./commands/run.ts";
import { addVersionCommand, addVersionFlag } from "./commands/version.ts";
import { addExamples } from "./options.ts";

export const verboseFlag = "--verbose";

/** The commands of `ktk`. Wrong usage is thrown as a CommanderError, after it was explained. */
export function createProgram(): Command {
  const program = new Command("ktk")
    .description("kantoku: durable tasks, run and looked at from a terminal")
    .exitOverride()
    // Each command has flags of its own: `ktk run x --version 2` asks for a definition's version.
    .enablePositionalOptions()
    .showHelpAfterError('(add "--help" for what it takes)')
    .configureHelp({ showGlobalOptions: false });
  addVersionFlag(program);
  addExamples(program, [
    "ktk dev",
    `ktk run greet -i '{"name": "Ada"}' --watch`,
    "ktk get tasks --status running",
    "ktk describe task 01989f5e-8a4c-7cc2-b5d1-6e3a7f0c9b21",
  ]);
  addDevCommand(program);
  addRunCommand(program);
  addApplyCommand(program);
  addGetCommand(program);
  addDescribeCommand(program);
  addGraphCommand(program);
  addCancelCommand(program);
  addRestartCommand(program);
  addDoctorCommand(program);
  addVersionCommand(program);
  for (const command of leavesOf(program)) command.option(verboseFlag, "show stacks of errors");
  return program;
}

function leavesOf(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);
}
