import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { compilePreprocessor, openSandbox } from "../../../runtime/preprocess/index.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
const calls = 100_000;
const rounds = 20;
/** Heaps breathe by so much; a leak of half a KiB a call would be 25 between the middle and the end. */
const breathMiB = 20;

test("100,000 ordinary calls leave no memory behind", { timeout: 120_000 }, async () => {
  const sandbox = openSandbox();
  const compiled = compilePreprocessor("({ body }) => ({ text: body })");
  if ("problems" in compiled) throw new Error("the preprocessor does not compile");
  const resident: number[] = [];
  let spentMs = 0;
  try {
    for (let round = 0; round < rounds; round += 1) {
      const begunAt = performance.now();
      const answers = await Promise.all(
        Array.from({ length: calls / rounds }, (_, index) =>
          sandbox.reshape({
            namespace: `namespace-${index % 4}`,
            preprocessor: compiled.preprocessor,
            input: `{"body":"page ${index}"}`,
          }),
        ),
      );
      spentMs += performance.now() - begunAt;
      for (const [index, answer] of answers.entries()) {
        if (!("output" in answer) || answer.output !== `{"text":"page ${index}"}`) {
          throw new Error(`call ${index} answered ${JSON.stringify(answer)}`);
        }
      }
      // What V8 has not got round to collecting yet is no leak.
      collectGarbage();
      resident.push(process.memoryUsage.rss() / 2 ** 20);
    }
  } finally {
    await sandbox.close();
  }
  const path = resident.map((size) => size.toFixed(0)).join(" ");
  console.log(`${((calls * 1_000) / spentMs).toFixed(0)} calls/s; resident MiB: ${path}`);
  // The first rounds fill the heaps of this process and of its threads.
  expect(median(resident.slice(15)) - median(resident.slice(8, 13))).toBeLessThan(breathMiB);
});

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
