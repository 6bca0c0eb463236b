import { setTimeout as delay } from "node:timers/promises";
import { PgBoss } from "pg-boss";
import postgres from "postgres";
import { type Measure, measureLatency, measureRate, taskInput, timed } from "../figures.ts";
import { countHandledJobs } from "./handled.ts";

const jobsPerInsert = 1_000;
// https://timgit.github.io/pg-boss/api/workers; fastest of the numbers tried, or within noise of it.
const batchWorkers = { batchSize: 1_000, burstWhenBatchFull: true, localConcurrency: 2 };

export const measure: Measure = async (databaseUrl, report) => {
  const sql = postgres(databaseUrl, { max: 1 });
  const boss = new PgBoss({ connectionString: databaseUrl, useListenNotify: true });
  await boss.start();
  await boss.createQueue("noop", { notify: true });
  const handled = countHandledJobs();

  async function runTasks(count: number): Promise<number> {
    const elapsedMs = await timed(async () => {
      const allHandled = handled.next(count);
      for (let added = 0; added < count; added += jobsPerInsert) {
        const jobs = Array(Math.min(jobsPerInsert, count - added)).fill({ data: taskInput });
        await boss.insert("noop", jobs);
      }
      await allHandled;
      await jobsAreCompleted(sql);
    });
    await boss.deleteAllJobs("noop");
    return elapsedMs;
  }

  async function runTask(): Promise<void> {
    const ran = handled.next(1);
    await boss.send("single", taskInput);
    await ran;
  }

  await boss.createQueue("single", { notify: true });
  await boss.work("single", async (jobs) => handled.add(jobs.length));
  report(await measureLatency("latency", { samples: 200, once: runTask }));
  await boss.offWork("single");

  await boss.work("noop", batchWorkers, async (jobs) => handled.add(jobs.length));
  const names = { workload: "noop-throughput", unit: "tasks/s" };
  report(await measureRate(names, { count: 20_000, run: runTasks }));
  await boss.stop();
  await sql.end();
};

async function jobsAreCompleted(sql: postgres.Sql): Promise<void> {
  const open = () =>
    sql`select from pgboss.job where name = 'noop' and state <> 'completed' limit 1`;
  while ((await open()).length > 0) await delay(1);
}
