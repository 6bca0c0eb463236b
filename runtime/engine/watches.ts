import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Hint, Store } from "../store/store.ts";
import type { Audience } from "./audience.ts";

interface WatchesOptions {
  readonly node: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly audience: Audience;
}

const refreshTasksMax = 500;

/** News of tasks across nodes: a row says who watches, a hint says look, the poll looks anyway. */
export class Watches {
  readonly #options: WatchesOptions;
  #news: string[] = [];

  constructor(options: WatchesOptions) {
    this.#options = options;
  }

  /** Watch first, then look: what was committed between the two is seen by the look. */
  async watch(task: string): Promise<void> {
    await this.#options.store.watches.watch(this.#options.node, task);
    await this.refresh([task]);
  }

  unwatch(task: string): void {
    this.#options.store.watches
      .unwatch(this.#options.node, task)
      .catch((error: unknown) => this.#options.log.warn("watch row left behind", { task, error }));
  }

  /** Tells the watching nodes, after the commit: once a tick, for a hint takes a lock of the cluster. */
  announce(task: string): void {
    this.#news.push(task);
    if (this.#news.length === 1) this.#options.clock.soon(() => void this.#tell());
  }

  async #tell(): Promise<void> {
    const { store, node, log } = this.#options;
    const tasks = this.#news;
    this.#news = [];
    try {
      const nodes = await store.watches.watchers(tasks);
      const hints = nodes
        .filter((watcher) => watcher !== node)
        .map((watcher): Hint => ({ about: "watched", node: watcher, tasks }));
      if (hints.length > 0) await store.hints.send(hints);
    } catch (error) {
      log.warn("watchers not told; their poll will look", { error });
    }
  }

  /** Reads watched tasks and passes their news on. */
  async refresh(tasks: readonly string[]): Promise<void> {
    const { store, audience } = this.#options;
    for (let at = 0; at < tasks.length; at += refreshTasksMax) {
      const ids = tasks.slice(at, at + refreshTasksMax);
      for (const row of await store.tasks.readMany(ids)) audience.poke(row.id, row);
    }
  }

  /** The same where nobody waits for it: what cannot be read now, the poll reads later. */
  look(tasks: readonly string[]): void {
    this.refresh(tasks).catch((error: unknown) =>
      this.#options.log.warn("watched tasks not read; the poll will look", { error }),
    );
  }
}
