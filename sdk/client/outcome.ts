import { isKantokuError, KantokuError } from "../errors.ts";
import type { RunResult, Service } from "../protocol/service.ts";
import { isEnded, type TaskError } from "../protocol/task.ts";
import type { Clock } from "../time/clock.ts";
import { fromTaskError } from "../values/task-error.ts";

export interface Waiting {
  readonly service: Service;
  readonly clock: Clock;
  readonly waitMs: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** A task's output, from the first answer on; asks again for as long as the caller waits. */
export function outcomeOf<Output>(first: Promise<RunResult>, waiting: Waiting): Promise<Output> {
  const outcome = awaitEnd<Output>(first, waiting);
  return waiting.signal ? abandonable(outcome, waiting.signal) : outcome;
}

async function awaitEnd<Output>(first: Promise<RunResult>, waiting: Waiting): Promise<Output> {
  const { service, clock, waitMs, signal } = waiting;
  const untilMs = waitMs === undefined ? Number.POSITIVE_INFINITY : clock.now() + waitMs;
  try {
    let result = await first;
    while (!isEnded(result.status)) {
      const leftMs = untilMs - clock.now();
      if (leftMs <= 0 || signal?.aborted) throw unfinished(result, waitMs);
      const { id } = result;
      result = await service.result(
        leftMs === Number.POSITIVE_INFINITY ? { id } : { id, waitMs: leftMs },
      );
    }
    // What a task gave is its author's to type; JSON has no undefined to tell from absence.
    return result.output as Output;
  } catch (thrown) {
    throw withCause(thrown);
  }
}

function abandonable<Output>(outcome: Promise<Output>, signal: AbortSignal): Promise<Output> {
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

function unfinished({ id, status }: RunResult, waitMs: number | undefined): KantokuError {
  return new KantokuError("deadline-exceeded", `task ${id} is ${status} after ${waitMs} ms`, {
    data: { task: id, status },
  });
}
