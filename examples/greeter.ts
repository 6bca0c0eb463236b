// A worker for the server that `npm run dev` keeps up, until Ctrl-C. Prints:
//
//   serving greet at ws://127.0.0.1:7400; try: npx ktk run greet -i '{"name":"Ada"}'

import { once } from "node:events";
import { connect, task } from "kantoku";
import { z } from "zod";

const greet = task(
  "greet",
  { input: z.object({ name: z.string() }) },
  ({ name }) => `Good morning, ${name}!`,
);

const url = process.env["KANTOKU_URL"] ?? "ws://127.0.0.1:7400";
const kantoku = await connect(url);
await kantoku.work([greet]);
console.log(`serving greet at ${url}; try: npx ktk run greet -i '{"name":"Ada"}'`);

await once(process, "SIGINT");
// Gives back what it holds, for another worker to do.
await kantoku.close();
