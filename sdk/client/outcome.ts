import { isKantokuError, KantokuError } from "../errors.ts";
import type { RunResult, Service } from "../protocol/service.ts";
import { isEnded, type TaskError } from "../protocol/task.ts";
import { retryInMs } from "../time/backoff.ts";
import { type Clock, wait } from "../time/clock.ts";
import { fromTaskError } from "../values/task-error.ts";

interface Waiting {
  readonly service: Pick<Service, "result">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly waitMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** Aborts when there will be nobody left to ask. */
  readonly closing: AbortSignal;
}

/**
 * A task's output, from the answer to its submit on; asks again for as long as the caller waits.
 * That first answer counts even when it is "later": then nothing may have been accepted.
 */
export function outcomeOf<Output>(first: Promise<RunResult>, waiting: Waiting): Promise<Output> {
  return abandonable(awaitEnd<Output>(first, untilMsOf(waiting), waiting), waiting.signal);
}

/** The output of a task that is there already. */
export function outcomeById<Output>(id: string, waiting: Waiting): Promise<Output> {
  const untilMs = untilMsOf(waiting);
  const first = ask(id, untilMs, waiting);
  return abandonable(awaitEnd<Output>(first, untilMs, waiting), waiting.signal);
}

async function awaitEnd<Output>(
  first: Promise<RunResult>,
  untilMs: number,
  waiting: Waiting,
): Promise<Output> {
  const { clock, waitMs, signal } = waiting;
  try {
    let result = await first;
    while (!isEnded(result.status)) {
      const { id, status } = result;
      if (clock.now() >= untilMs || signal?.aborted) {
        throw unfinished(`task ${id} has not ended after ${waitMs} ms; it is ${status}`, {
          task: id,
          status,
        });
      }
      result = await ask(id, untilMs, waiting);
    }
    // What a task gave is its author's to type; JSON has no undefined to tell from absence.
    return result.output as Output;
  } catch (thrown) {
    throw withCause(thrown);
  }
}

/** Asks once, and again for as long as "later" is the answer. */
async function ask(id: string, untilMs: number, waiting: Waiting): Promise<RunResult> {
  const { service, clock, random, waitMs, signal, closing } = waiting;
  for (let failures = 0; ; failures++) {
    try {
      const leftMs = Math.max(0, untilMs - clock.now());
      return await service.result(
        leftMs === Number.POSITIVE_INFINITY ? { id } : { id, waitMs: leftMs },
      );
    } catch (thrown) {
      if (!isPassing(thrown)) throw thrown;
      const gone = signal === undefined ? closing : AbortSignal.any([signal, closing]);
      const restMs = retryInMs(thrown, failures, random);
      await wait(clock, Math.min(restMs, untilMs - clock.now()), gone);
      if (gone.aborted) throw thrown;
      if (clock.now() >= untilMs) {
        throw unfinished(`nothing was heard of task ${id} in ${waitMs} ms`, { task: id }, thrown);
      }
    }
  }
}

// Who shuts down comes back as another or not at all: a connection looks for the other by itself.
function isPassing(thrown: unknown): thrown is KantokuError {
  return isKantokuError(thrown) && thrown.retryable && thrown.code !== "shutting-down";
}

function untilMsOf({ clock, waitMs }: Waiting): number {
  return waitMs === undefined ? Number.POSITIVE_INFINITY : clock.now() + waitMs;
}

function abandonable<Output>(
  outcome: Promise<Output>,
  signal: AbortSignal | undefined,
): Promise<Output> {
  if (signal === undefined) return outcome;
  return new Promise((resolve, reject) => {
    const abandon = () => reject(signal.reason);
    if (signal.aborted) abandon();
    signal.addEventListener("abort", abandon, { once: true });
    outcome.then(resolve, reject).finally(() => signal.removeEventListener("abort", abandon));
  });
}

// What failed inside the task is the cause of what failed here.
function withCause(thrown: unknown): unknown {
  if (!isKantokuError(thrown) || thrown.cause !== undefined) return thrown;
  const error = thrown.data["error"];
  if (typeof error !== "object" || error === null || !("message" in error)) return thrown;
  const cause = fromTaskError(error as TaskError);
  return new KantokuError(thrown.code, thrown.message, { data: thrown.data, cause });
}

function unfinished(
  message: string,
  data: Readonly<Record<string, unknown>>,
  cause?: KantokuError,
): KantokuError {
  return new KantokuError("deadline-exceeded", message, { data, ...(cause && { cause }) });
}
