import { reportFailure } from "./failure.ts";
import { asksForJson } from "./options.ts";
import { surviveClosedPipes } from "./output/terminal.ts";
import { createProgram, verboseFlag } from "./program.ts";

surviveClosedPipes();
await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<void> {
  const isVerbose = words.includes(verboseFlag);
  try {
    await createProgram().parseAsync(words.length === 0 ? ["--help"] : words, { from: "user" });
  } catch (thrown) {
    process.exitCode = reportFailure(thrown, { isVerbose, isJson: asksForJson(words) });
  }
}
