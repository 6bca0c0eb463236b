import { rm } from "node:fs/promises";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { openEmbeddedDatabase } from "../../../runtime/embedded/index.ts";
import { makeChaosFolder } from "./cluster.ts";
import { ChaosProcess, type ProcessPlan } from "./process.ts";

/** A data folder whose only users are the processes that a test starts on it. */
interface Lone {
  readonly dataDir: string;
  spawn(plan: Omit<ProcessPlan, "folder">): ChaosProcess;
  /** Joins the database, so that it can be read; it is left when the test ends. */
  openDatabase(): Promise<string>;
}

/** Whatever becomes of the test, nothing is left of its processes and files. */
export async function makeLone(): Promise<Lone> {
  const folder = await makeChaosFolder();
  const dataDir = join(folder, "data");
  const processes: ChaosProcess[] = [];
  onTestFinished(async ({ task }) => {
    const isFailed = task.result?.state === "fail";
    if (isFailed) for (const it of processes) console.error(`--- ${it.name}\n${it.tail()}`);
    for (const process of processes) if (!process.hasEnded) await process.kill();
    const database = await openEmbeddedDatabase({ dataDir });
    await database.leave();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    dataDir,
    spawn(plan) {
      const spawned = new ChaosProcess({ ...plan, folder });
      processes.push(spawned);
      return spawned;
    },
    async openDatabase() {
      const database = await openEmbeddedDatabase({ dataDir });
      onTestFinished(() => database.leave());
      return database.url;
    },
  };
}
