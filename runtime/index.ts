import { type AnyDefinition, createClient, type Kantoku } from "../sdk/index.ts";
import { namespaceDefault } from "../sdk/protocol/limits.ts";
import { type OpenNodeOptions, openNode } from "./open-node.ts";

export type { Node, NodeOptions } from "./node.ts";
export { startNode } from "./node.ts";
export { type OpenNodeOptions, openNode } from "./open-node.ts";
export type { Clock } from "./ports/clock.ts";
export { systemClock } from "./ports/clock.ts";
export type { Entropy } from "./ports/entropy.ts";
export { createJsonLog, type Log, silentLog } from "./ports/log.ts";
export { createMemoryStore } from "./store/memory/index.ts";
export type { Store } from "./store/store.ts";
export { startTelemetry, type Telemetry, type TelemetryOptions } from "./telemetry/sdk.ts";

export interface StartOptions extends OpenNodeOptions {
  /** Served by a worker of this process. */
  readonly definitions?: readonly AnyDefinition[];
  /** Attempts at once on that worker; 100 unless given. */
  readonly slots?: number;
  /** That worker's name: identity over restarts. */
  readonly name?: string;
  readonly namespace?: string;
}

/** Work in the process costs no socket, so there may be more of it than a remote worker takes. */
const slotsDefault = 100;

/**
 * Boots everything in this process (runtime, database unless a URL is given, a worker for the
 * definitions) and resolves with a client. `close()` stops it all, cleanly.
 */
export async function start(options: StartOptions = {}): Promise<Kantoku> {
  const { definitions = [], slots = slotsDefault, name, namespace = namespaceDefault } = options;
  const node = await openNode(options);
  const client = createClient(node.service(namespace), {
    instance: node.instance,
    onClose: () => node.stop(),
  });
  try {
    if (definitions.length > 0) {
      await client.work(definitions, { slots, ...(name === undefined ? {} : { name }) });
    }
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}
