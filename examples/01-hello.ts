// A task, a call of it, and its result. Prints:
//
//   Hello, world!
//   task hello succeeded after attempt 1

import { task } from "kantoku";
import { start } from "kantoku/runtime";
import { z } from "zod";

const hello = task(
  "hello",
  { input: z.object({ name: z.string() }) },
  ({ name }) => `Hello, ${name}!`,
);

// Everything in this process: the runtime, PostgreSQL in .kantoku/, and a worker for the task.
const kantoku = await start({ definitions: [hello] });

// A call is a plain value; submitting it makes a task. `kantoku.run` does both steps in one.
const call = hello({ name: "world" });
const handle = await kantoku.submit(call);
console.log(await handle.result());

const { definition, status, attempt } = await kantoku.get(handle.id);
console.log(`task ${definition} ${status} after attempt ${attempt}`);

await kantoku.close();
