import { setTimeout as delay } from "node:timers/promises";
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import postgres from "postgres";
import { type Measure, measureLatency, measureRate, taskInput, timed } from "../figures.ts";
import { countHandledJobs } from "./handled.ts";

const jobsPerInsert = 1_000;
const spec = { identifier: "noop", payload: taskInput };

export const measure: Measure = async (databaseUrl, report) => {
  const sql = postgres(databaseUrl, { max: 1 });
  const preset = {
    worker: {
      connectionString: databaseUrl,
      logger: new Logger(() => () => {}),
      // https://worker.graphile.org/docs/performance, "Quick stats"
      concurrentJobs: 24,
      maxPoolSize: 25,
      localQueue: { size: 500 },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    },
  };
  const handled = countHandledJobs();
  const taskList = { noop: () => handled.add(1) };
  const runner = await run({ preset, taskList, noHandleSignals: true });
  const utils = await makeWorkerUtils({ preset });

  async function runTasks(count: number): Promise<number> {
    return timed(async () => {
      const allHandled = handled.next(count);
      for (let added = 0; added < count; added += jobsPerInsert)
        await utils.addJobs(Array(Math.min(jobsPerInsert, count - added)).fill(spec));
      await allHandled;
      await jobsAreDeleted(sql);
    });
  }

  async function runTask(): Promise<void> {
    const ran = handled.next(1);
    await utils.addJob(spec.identifier, spec.payload);
    await ran;
  }

  // First: after the other workload its p50 was 5 to 7 ms instead of 2 to 4 in most runs.
  report(await measureLatency("latency", { samples: 200, once: runTask }));
  const names = { workload: "noop-throughput", unit: "tasks/s" };
  report(await measureRate(names, { count: 20_000, run: runTasks }));
  await runner.stop();
  await utils.release();
  await sql.end();
};

/** A completed job is a deleted row; nothing else of it is kept. */
async function jobsAreDeleted(sql: postgres.Sql): Promise<void> {
  while ((await sql`select from graphile_worker._private_jobs limit 1`).length > 0) await delay(1);
}
