// A worker for the jobs of 06-stages.yaml on the server that `npm run dev` keeps up, until Ctrl-C. It
// is no real shell: it says that each command is done. Prints:
//
//   serving shell at ws://127.0.0.1:7400; try: npx ktk run release

import { once } from "node:events";
import { connect, task } from "kantoku";
import { z } from "zod";

const shell = task(
  "shell",
  { input: z.object({ command: z.string() }) },
  ({ command }) => `${command} is done`,
);

const url = process.env["KANTOKU_URL"] ?? "ws://127.0.0.1:7400";
const kantoku = await connect(url);
await kantoku.work([shell]);
console.log(`serving shell at ${url}; try: npx ktk run release`);

await once(process, "SIGINT");
await kantoku.close();
