import type { Log } from "../../ports/log.ts";
import { nodeLeaseMsDefault, type Store } from "../store.ts";
import { lanesDefault } from "../turns.ts";
import { createCommitStore } from "./commits/commit.ts";
import { createConnections } from "./connections.ts";
import { createDefinitionStore } from "./definitions.ts";
import { examine } from "./doctor.ts";
import { createGraphStore } from "./graphs.ts";
import { createHintBus } from "./hints.ts";
import { createJournalStore } from "./journal.ts";
import { createMailStore } from "./mail.ts";
import { migrate } from "./migrate.ts";
import { createNodeStore } from "./nodes.ts";
import { createPipelineStore } from "./pipelines.ts";
import { createQueueStore } from "./queue.ts";
import { assertSchemaName, schemaDefault } from "./schema.ts";
import { createTaskStore } from "./tasks.ts";
import { createTimerStore } from "./timers.ts";
import { createWatchStore } from "./watches.ts";
import { createWorkerStore } from "./workers.ts";

interface PostgresStoreOptions {
  readonly url: string;
  /** Several stores may share a database under different names; `kantoku` unless given. */
  readonly schema?: string;
  /** How many commits may be in flight. */
  readonly lanes?: number;
  /** Of the node that the store is for: no statement of its outlasts it. */
  readonly nodeLeaseMs?: number;
  readonly log: Log;
}

/**
 * Brings the schema up to date and opens the store. Connections open as they are needed, at most
 * lanes + 10.
 * @throws StoreError `unavailable`, or `refused` when the schema is newer than this code
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const { url, schema = schemaDefault, log } = options;
  const { lanes = lanesDefault, nodeLeaseMs = nodeLeaseMsDefault } = options;
  assertSchemaName(schema);
  await migrate({ url, schema });

  const connections = createConnections({ url, schema, lanes, nodeLeaseMs });
  const hints = createHintBus(connections, { url, schema, log });
  return {
    nodes: createNodeStore(connections),
    commits: createCommitStore(connections),
    queue: createQueueStore(connections),
    tasks: createTaskStore(connections),
    journal: createJournalStore(connections),
    timers: createTimerStore(connections),
    mail: createMailStore(connections),
    workers: createWorkerStore(connections),
    definitions: createDefinitionStore(connections),
    graphs: createGraphStore(connections),
    pipelines: createPipelineStore(connections),
    watches: createWatchStore(connections),
    hints,
    doctor: (isWanted) => examine({ url, schema, isWanted }),
    async now() {
      const [row] = await connections.readers.ask("select clock_timestamp() as now");
      return Number(row?.["now"]);
    },
    async close() {
      await Promise.all([hints.close(), connections.close()]);
    },
  };
}
