import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openEmbeddedDatabase } from "./embedded/index.ts";
import { type Node, type NodeOptions, startNode } from "./node.ts";
import { createJsonLog } from "./ports/log.ts";
import { openPostgresStore } from "./store/postgres/postgres-store.ts";
import { isStoreError, nodeLeaseMsDefault } from "./store/store.ts";
import { lanesDefault } from "./store/turns.ts";

export interface OpenNodeOptions extends Omit<NodeOptions, "store"> {
  /** A PostgreSQL 15 to 18; without it the embedded one runs in `dataDir`. */
  readonly databaseUrl?: string;
  /** Where the embedded database lives; `.kantoku` in the working directory unless given. */
  readonly dataDir?: string;
  readonly schema?: string;
}

/** The embedded database comes back by itself when it crashes under a node that starts. */
const comebackMs = 30_000;
const comebackPollMs = 50;

/** A node with the database under it: the given one, or the embedded one, joined or started. */
export async function openNode(options: OpenNodeOptions = {}): Promise<Node> {
  const database = await openDatabase(options);
  const patienceMs = options.databaseUrl === undefined ? comebackMs : 0;
  try {
    const node = await startPatiently(() => startOn(database.url, options), patienceMs);
    return {
      ...node,
      stop: async () => {
        await node.stop();
        await database.leave();
      },
    };
  } catch (error) {
    await database.leave();
    throw error;
  }
}

async function startOn(url: string, options: OpenNodeOptions): Promise<Node> {
  const { log = createJsonLog(), lanes = lanesDefault, schema = "kantoku" } = options;
  const { nodeLeaseMs = nodeLeaseMsDefault } = options;
  const store = await openPostgresStore({ url, schema, lanes, nodeLeaseMs, log });
  try {
    return await startNode({ ...options, log, lanes, nodeLeaseMs, store });
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function startPatiently(start: () => Promise<Node>, patienceMs: number): Promise<Node> {
  for (const giveUpAt = performance.now() + patienceMs; ; ) {
    try {
      return await start();
    } catch (error) {
      if (!isStoreError(error, "unavailable") || performance.now() >= giveUpAt) throw error;
      await sleep(comebackPollMs);
    }
  }
}

interface Database {
  readonly url: string;
  leave(): Promise<void>;
}

async function openDatabase(options: OpenNodeOptions): Promise<Database> {
  const { databaseUrl, dataDir = ".kantoku", log = createJsonLog() } = options;
  if (databaseUrl !== undefined) return { url: databaseUrl, leave: async () => {} };
  return openEmbeddedDatabase({ dataDir: resolve(dataDir), log });
}
