import { resolve } from "node:path";
import { openEmbeddedDatabase } from "./embedded/index.ts";
import { type Node, type NodeOptions, startNode } from "./node.ts";
import { systemClock } from "./ports/clock.ts";
import { createJsonLog } from "./ports/log.ts";
import { openPostgresStore } from "./store/postgres/postgres-store.ts";

export interface OpenNodeOptions extends Omit<NodeOptions, "store"> {
  /** A PostgreSQL 15 to 18; without it the embedded one runs in `dataDir`. */
  readonly databaseUrl?: string;
  /** Where the embedded database lives; `.kantoku` in the working directory unless given. */
  readonly dataDir?: string;
  readonly schema?: string;
}

const lanesDefault = 3;

/** A node with the database under it: the given one, or the embedded one, joined or started. */
export async function openNode(options: OpenNodeOptions = {}): Promise<Node> {
  const { log = createJsonLog(), lanes = lanesDefault, schema = "kantoku" } = options;
  const database = await openDatabase(options);
  try {
    const store = await openPostgresStore({ url: database.url, schema, lanes, log });
    const node = await startNode({ clock: systemClock, ...options, log, lanes, store });
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

interface Database {
  readonly url: string;
  leave(): Promise<void>;
}

async function openDatabase({ databaseUrl, dataDir }: OpenNodeOptions): Promise<Database> {
  if (databaseUrl !== undefined) return { url: databaseUrl, leave: async () => {} };
  return openEmbeddedDatabase({ dataDir: resolve(dataDir ?? ".kantoku") });
}
