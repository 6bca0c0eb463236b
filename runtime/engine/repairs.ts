import type { Log } from "../ports/log.ts";
import type { TaskRow } from "../store/rows.ts";
import type { JournalStore } from "../store/store.ts";
import { foldJournal, taskFold } from "./task-actor.ts";

interface RepairsOptions {
  readonly journal: JournalStore;
  readonly log: Log;
  /** Takes the row in, with a snapshot that can be read. */
  mended(row: TaskRow): void;
}

/** Tasks whose snapshot cannot be read: it is only a cache, the journal has it all. */
export class Repairs {
  readonly #options: RepairsOptions;
  /** Under way, or tried in vain: what failed once would fail again each second. */
  readonly #tried = new Set<string>();

  constructor(options: RepairsOptions) {
    this.#options = options;
  }

  mend(row: TaskRow): void {
    if (this.#tried.has(row.id)) return;
    this.#tried.add(row.id);
    foldJournal(row, this.#options.journal).then(
      (folded) => {
        const snapshot = JSON.stringify(taskFold.stored(folded));
        this.#tried.delete(row.id);
        this.#options.log.warn("task snapshot made again from the journal", { task: row.id });
        this.#options.mended({ ...row, snapshot });
      },
      (error: unknown) => {
        this.#options.log.error("task lies still: neither snapshot nor journal can be read", {
          task: row.id,
          error,
        });
      },
    );
  }
}
