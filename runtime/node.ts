import type { Service } from "../sdk/protocol/service.ts";
import { Engine } from "./engine/engine.ts";
import { type Clock, systemClock } from "./ports/clock.ts";
import { type Entropy, systemEntropy } from "./ports/entropy.ts";
import { createJsonLog, type Log } from "./ports/log.ts";
import { openPreprocessing } from "./preprocessing.ts";
import { createServiceParts, EngineService } from "./service/service.ts";
import type { Store } from "./store/store.ts";
import { createMeters } from "./telemetry/meters.ts";

export interface NodeOptions {
  readonly store: Store;
  readonly clock?: Clock;
  readonly entropy?: Entropy;
  readonly log?: Log;
  /** A node that does not renew for this long is dead to the others; 10 s unless given. */
  readonly nodeLeaseMs?: number;
  /** A worker that is silent for this long is lost; 10 s unless given. */
  readonly workerLeaseMs?: number;
  readonly heartbeatMs?: number;
  /** Commits in flight at once, 2 to 4. */
  readonly lanes?: number;
  /** Ended roots older than this are deleted; null, the default, keeps them. */
  readonly retentionMs?: number | null;
}

/** One running node over a store. */
export interface Node {
  /** Everything kantoku offers, inside one namespace. */
  service(namespace: string): Service;
  /** The name of this process among all processes, for workers that live and die with it. */
  readonly instance: string;
  /** Whether it can take work on right now. */
  isReady(): Promise<boolean>;
  /** Finishes what is decided, gives its lease back, closes the store. Safe to call twice. */
  stop(): Promise<void>;
}

/** Joins the other nodes of the store, or is the only one. */
export async function startNode(options: NodeOptions): Promise<Node> {
  const { clock = systemClock, entropy = systemEntropy, log = createJsonLog() } = options;
  const meters = createMeters();
  const preprocessing = openPreprocessing();
  const engine = await Engine.start({ ...options, clock, entropy, log, meters, preprocessing });
  const parts = createServiceParts(engine);
  let stopped: Promise<void> | null = null;
  return {
    instance: engine.instance,
    // Not kept: peers name namespaces freely, and a service has no state of its own.
    service: (namespace) => new EngineService(namespace, parts),
    async isReady() {
      try {
        engine.assertUp();
        await options.store.now();
        return engine.life.lease.isInTouch;
      } catch {
        return false;
      }
    },
    stop() {
      stopped ??= engine
        .stop()
        .then(() => preprocessing.close())
        .then(() => options.store.close());
      return stopped;
    },
  };
}
