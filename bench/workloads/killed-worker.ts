import { setTimeout as delay } from "node:timers/promises";
import { connect } from "kantoku";
import { slowSteps } from "../definitions.ts";
import { end, forkReady } from "../processes/fork.ts";
import { quantiles } from "../quantiles.ts";
import type { Scope } from "../scope.ts";

const tasks = 200;
const runs = 3;
const killAfterMs = 500;

/** 200 tasks of five 200 ms steps; their worker is killed at 0.5 s and started again at once. */
export async function killedWorker({ databaseUrl, report }: Scope): Promise<void> {
  const server = await forkReady<{ url: string }>("server", [databaseUrl]);
  const kantoku = await connect(server.message.url);
  const times: number[] = [];
  try {
    for (let run = 0; run < runs; run += 1) {
      times.push(await killOnce(server.message.url, (n) => kantoku.run(slowSteps({ n }))));
    }
  } finally {
    await kantoku.close();
    await end(server.child);
  }
  report({
    workload: "killed-worker",
    value: quantiles(times).p50,
    unit: "ms",
    spread: [Math.min(...times), Math.max(...times)],
  });
}

async function killOnce(url: string, run: (n: number) => Promise<unknown>): Promise<number> {
  const first = await forkReady("worker", [url, String(tasks)]);
  const all = Promise.all(Array.from({ length: tasks }, (_, n) => run(n)));
  await delay(killAfterMs);
  const killedAt = performance.now();
  first.child.kill("SIGKILL");
  const second = await forkReady("worker", [url, String(tasks)]);
  await all;
  const took = performance.now() - killedAt;
  await end(second.child);
  return took;
}
