import { KantokuError } from "../../sdk/errors.ts";
import { limits } from "../../sdk/protocol/limits.ts";
import type { Listener, RunResult } from "../../sdk/protocol/service.ts";
import { isEnded, isOver, type TaskRef, type TaskStatus } from "../../sdk/protocol/task.ts";
import type { Ending } from "../engine/audience.ts";
import type { Engine } from "../engine/engine.ts";
import type { TaskRow } from "../store/rows.ts";
import { abandoned, invalid, reading } from "./faults.ts";
import { findTask } from "./find-task.ts";
import { toRunResult } from "./views.ts";

/** Waits for tasks to end, wherever they run. */
export class Outcomes {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * The outcome of a task that was just submitted here. One that this call created cannot have ended
   * unheard: its end is a later commit of this very process, or one that its watch looks for.
   *
   * A store that cannot be read ends the wait, not the call: busy would look like a submit that was
   * refused, and under a fresh key the next one would be another task.
   */
  async ofSubmitted(
    submitted: { id: string; status: TaskStatus; created: boolean },
    wait: Wait,
  ): Promise<RunResult> {
    const { id, status, created } = submitted;
    const look = created ? null : () => this.#read(id);
    return this.#wait(id, { ...wait, known: isEnded(status) ? null : { id, status } }, look);
  }

  async of(namespace: string, ref: TaskRef, wait: Wait): Promise<RunResult> {
    const row = await findTask(this.#engine, namespace, ref);
    if (isOver(row.status)) return toRunResult(row.id, row);
    return this.#wait(row.id, { ...wait, known: null }, () => this.#read(row.id));
  }

  #wait(
    id: string,
    { waitMs, listener, known }: Wait & { readonly known: RunResult | null },
    look: (() => Promise<TaskRow | null>) | null,
  ): Promise<RunResult> {
    const patienceMs = checkWait(waitMs);
    return new Promise((resolve, reject) => {
      let stopTimer = (): void => {};
      let stay = (): void => {};
      const stop = (): void => {
        stopTimer();
        stopListening();
        stay();
      };
      const settle = (ending: Ending | null): void => {
        stop();
        try {
          if (ending === null) throw stopping();
          resolve(toRunResult(id, ending));
        } catch (error) {
          reject(error as Error);
        }
      };
      const giveUp = (error: unknown): void => {
        stop();
        if (known === null) reject(error as Error);
        else resolve(known);
      };
      const stopListening = this.#engine.audience.awaitEnd(id, settle);
      stay =
        listener?.whenGone(() => {
          stop();
          reject(abandoned());
        }) ?? stay;
      if (patienceMs !== null) {
        stopTimer = this.#engine.life.clock.after(patienceMs, () => {
          stop();
          this.#read(id).then((row) => {
            if (row !== null && isOver(row.status)) settle(row);
            else resolve({ id, status: row?.status ?? "waiting" });
          }, giveUp);
        });
      }
      look?.().then((row) => {
        if (row !== null && isOver(row.status)) settle(row);
      }, giveUp);
    });
  }

  async #read(id: string): Promise<TaskRow | null> {
    const [row] = await reading(() => this.#engine.store.tasks.readMany([id]));
    return row ?? null;
  }
}

interface Wait {
  readonly waitMs: number | undefined;
  readonly listener: Listener | undefined;
}

function checkWait(waitMs: number | undefined): number | null {
  if (waitMs === undefined) return null;
  if (Number.isInteger(waitMs) && waitMs >= 0 && waitMs <= limits.waitMsMax) return waitMs;
  throw invalid("waitMs", `must be an integer from 0 to ${limits.waitMsMax}`);
}

function stopping(): KantokuError {
  return new KantokuError("shutting-down", "the node stopped while the task went on", {
    data: { retryAfterMs: 1_000 },
  });
}
