import type { Clock } from "../../ports/clock.ts";
import type { Store } from "../store.ts";
import { createCommitStore } from "./commits.ts";
import { createDefinitionStore } from "./definitions.ts";
import { examine } from "./doctor.ts";
import { createGraphStore } from "./graphs.ts";
import { createHintBus } from "./hints.ts";
import { createJournalStore } from "./journal.ts";
import { createMailStore } from "./mail.ts";
import { createNodeStore } from "./nodes.ts";
import { createPipelineStore } from "./pipelines.ts";
import { createQueueStore } from "./queue.ts";
import { createTables } from "./tables.ts";
import { createTaskStore } from "./tasks.ts";
import { createTimerStore } from "./timers.ts";
import { createWatchStore } from "./watches.ts";
import { createWorkerStore } from "./workers.ts";

/**
 * The whole store in this process's memory: for simulation and tests, and for several nodes in one
 * process, which share the one object. What it holds outlives `close`, which ends the listeners.
 */
export function createMemoryStore({ clock }: { clock: Clock }): Store {
  const tables = createTables(clock);
  return {
    nodes: createNodeStore(tables),
    commits: createCommitStore(tables),
    queue: createQueueStore(tables),
    tasks: createTaskStore(tables),
    journal: createJournalStore(tables),
    timers: createTimerStore(tables),
    mail: createMailStore(tables),
    workers: createWorkerStore(tables),
    definitions: createDefinitionStore(tables),
    graphs: createGraphStore(tables),
    pipelines: createPipelineStore(tables),
    watches: createWatchStore(tables),
    hints: createHintBus(tables),
    doctor: async (isWanted) => examine(tables, isWanted),
    now: async () => clock.now(),
    close: async () => tables.listeners.clear(),
  };
}
