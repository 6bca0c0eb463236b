import { CommanderError } from "commander";
import { exitCodes, reportFailure } from "./failure.ts";
import { surviveClosedPipes } from "./output/terminal.ts";
import { createProgram, verboseFlag } from "./program.ts";

surviveClosedPipes();
await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<void> {
  const isVerbose = words.includes(verboseFlag);
  try {
    await createProgram().parseAsync(words.length === 0 ? ["--help"] : words, { from: "user" });
  } catch (thrown) {
    process.exitCode =
      thrown instanceof CommanderError ? exitCodeOf(thrown) : reportFailure(thrown, { isVerbose });
  }
}

/** Help that was asked for is no mistake; everything else that the parser stops at is. */
function exitCodeOf({ exitCode }: CommanderError): number {
  return exitCode === 0 ? 0 : exitCodes.usage;
}
