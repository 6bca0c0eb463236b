import type { CancelResult } from "../../sdk/protocol/service.ts";
import { isEnded, type TaskRef, taskStatuses } from "../../sdk/protocol/task.ts";
import type { Engine } from "../engine/engine.ts";
import type { CancelAnswer } from "../engine/messages.ts";
import type { TaskRow } from "../store/rows.ts";
import { reading } from "./faults.ts";
import { findTask } from "./find-task.ts";
import { checkReason } from "./reason-check.ts";

const stillGoing = taskStatuses.filter((it) => !isEnded(it) && it !== "cancelling");
const pageRows = 500;

/** Asks for the end of a task, and of what is under it. */
export class Cancels {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async cancel(
    namespace: string,
    { reason: given, ...ref }: TaskRef & { reason?: string },
  ): Promise<CancelResult> {
    this.#engine.assertUp();
    const { id, root, status } = await findTask(this.#engine, namespace, ref);
    const reason = checkReason(given);
    const { accepted } = isEnded(status) ? { accepted: false } : await this.#ask(id, reason);
    const row = await findTask(this.#engine, namespace, { id });
    if (accepted || !isEnded(row.status) || id !== root) return { status: row.status, accepted };
    return { status: row.status, accepted: await this.#cancelUnder(row, reason) };
  }

  /** A root that has ended takes no turn that would pass the cancel on. */
  async #cancelUnder({ id, namespace }: TaskRow, reason: string): Promise<boolean> {
    const { store, life } = this.#engine;
    let found = false;
    for (let beyond: string | undefined; ; ) {
      const rows: readonly TaskRow[] = await reading(() =>
        store.tasks.list({
          namespace,
          root: id,
          status: stillGoing,
          order: "ascending",
          limit: pageRows,
          ...(beyond === undefined ? {} : { beyond }),
        }),
      );
      for (const row of rows) {
        const message = { type: "cancel", reason, letter: null, caller: null } as const;
        await reading(() => life.post.cancel(row.id, message));
      }
      found ||= rows.length > 0;
      beyond = rows.at(-1)?.id;
      if (rows.length < pageRows || beyond === undefined) return found;
    }
  }

  #ask(id: string, reason: string): Promise<CancelAnswer> {
    return new Promise((resolve, reject) => {
      const caller = { answer: resolve, fail: reject };
      const message = { type: "cancel", reason, letter: null, caller } as const;
      reading(() => this.#engine.life.post.cancel(id, message)).catch(reject);
    });
  }
}
