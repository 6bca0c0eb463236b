import type { LogSink } from "../context.ts";
import type { AnyDefinition } from "../definition.ts";
import type { Service } from "../protocol/service.ts";
import { type Clock, systemClock } from "../time/clock.ts";
import { newId } from "../values/id.ts";
import { logToConsole } from "./log.ts";
import { Worker } from "./worker.ts";

export interface WorkOptions {
  /**
   * Identity over restarts: a process that registers under a name replaces the one before it, which
   * logs that and serves no longer. One client has a name once.
   */
  readonly name?: string;
  /** Attempts at once; 10 unless given. */
  readonly slots?: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** Where log lines of tasks, and of the worker itself, go: stderr, as JSON lines, unless given. */
  readonly log?: LogSink;
}

export interface ServeOptions extends WorkOptions {
  /** Names this process's life; a fresh value unless given. */
  readonly instance?: string;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** A worker while it serves. */
export interface WorkerHandle {
  /** The id of the current registration. */
  readonly id: string;
  /** Takes nothing more, finishes what runs, closes; resolves when all that is done. */
  drain(): Promise<void>;
  /** Stops at once: what runs is aborted, not reported, and given to another worker after a grace. */
  close(): Promise<void>;
  /** Resolves when the worker has ended: closed, or replaced by another process of its name. */
  readonly ended: Promise<"closed" | "superseded">;
}

const slotsDefault = 10;

/** Serves definitions as one worker over a service; resolves once it is registered. */
export async function serve(
  service: Service,
  definitions: readonly AnyDefinition[],
  options: ServeOptions = {},
): Promise<WorkerHandle> {
  const { name, labels } = options;
  const worker = new Worker(definitions, {
    service,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    sink: options.log ?? logToConsole,
    registration: {
      ...(name !== undefined && { name }),
      ...(labels && { labels }),
      instance: options.instance ?? newId(),
      slots: options.slots ?? slotsDefault,
    },
  });
  await worker.start();
  return worker;
}
