// What fails is tried again, unless it says that trying again cannot help. Prints:
//
//   asking for 12 crates, attempt 1
//   asking for 12 crates, attempt 2
//   asking for 12 crates, attempt 3
//   12 crates are on their way
//   asking for -1 crates, attempt 1
//   task-failed: nobody sells -1 crates
//   attempt.failed attempt.failed attempt.succeeded

import { isKantokuError, TerminalError, task } from "kantoku";
import { start } from "kantoku/runtime";
import { z } from "zod";

const orderCrates = task(
  "order-crates",
  {
    input: z.object({ crates: z.int() }),
    // At most five attempts. The delays between them grow, and are drawn at random below that.
    retry: { maxAttempts: 5, min: "50ms", max: "1s" },
  },
  ({ crates }, { attempt }) => {
    console.log(`asking for ${crates} crates, attempt ${attempt}`);
    if (crates < 0) throw new TerminalError(`nobody sells ${crates} crates`);
    if (attempt < 3) throw new Error("the supplier does not answer");
    return `${crates} crates are on their way`;
  },
);

const kantoku = await start({ definitions: [orderCrates] });

const order = await kantoku.submit(orderCrates({ crates: 12 }));
console.log(await order.result());

try {
  await kantoku.run(orderCrates({ crates: -1 }));
} catch (error) {
  if (!isKantokuError(error, "task-failed") || !(error.cause instanceof Error)) throw error;
  console.log(`${error.code}: ${error.cause.message}`);
}

// Every fact about a task is in its journal.
const outcomes: string[] = [];
for await (const { type } of order.events()) {
  if (type === "attempt.failed" || type === "attempt.succeeded") outcomes.push(type);
}
console.log(outcomes.join(" "));

await kantoku.close();
