// A worker in a process of its own, over WebSocket. It dies in the middle; the process that takes
// its place goes on after the last recorded step. Prints:
//
//   attempt 1: packing 3 crates
//   the worker died of SIGKILL, starting it again
//   attempt 2: shipping crate-1, crate-2, crate-3
//   shipped 3 crates

import { fork } from "node:child_process";
import { once } from "node:events";
import { connect, task } from "kantoku";
import { createGateway } from "kantoku/gateway";
import { openNode } from "kantoku/runtime";
import { z } from "zod";

const ship = task(
  "ship",
  { input: z.object({ crates: z.int() }) },
  async ({ crates }, { attempt, step }) => {
    const packed = await step("pack", () => {
      console.log(`attempt ${attempt}: packing ${crates} crates`);
      return Array.from({ length: crates }, (_, index) => `crate-${index + 1}`);
    });
    if (attempt === 1) process.kill(process.pid, "SIGKILL");
    console.log(`attempt ${attempt}: shipping ${packed.join(", ")}`);
    return `shipped ${packed.length} crates`;
  },
);

// This file is both programs: started with a URL it is the worker.
const [url] = process.argv.slice(2);
if (url === undefined) await beApplication();
else await beWorker(url);

async function beWorker(url: string): Promise<void> {
  // The channel closes when the application ends, however it ends.
  process.once("disconnect", () => process.exit());
  const kantoku = await connect(url);
  // A worker's name is its identity: who comes back under it says that the one before is gone.
  await kantoku.work([ship], { name: "dispatch" });
}

async function beApplication(): Promise<void> {
  const node = await openNode();
  const gateway = await createGateway({ service: node.service, host: "127.0.0.1", port: 0 });
  const { url } = gateway.address;
  const kantoku = await connect(url);

  const first = fork(import.meta.filename, [url]);
  const result = kantoku.run(ship({ crates: 3 }));
  const [, signal] = await once(first, "exit");
  console.log(`the worker died of ${signal}, starting it again`);
  const second = fork(import.meta.filename, [url]);
  console.log(await result);

  second.disconnect();
  await once(second, "exit");
  await kantoku.close();
  await gateway.close();
  await node.stop();
}
