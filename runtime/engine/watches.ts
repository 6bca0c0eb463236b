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

/**
 * News of tasks across nodes: a row says who watches, a hint says look, the poll looks anyway. Rows
 * are written and looked for in portions: what comes while one is under way is in the next.
 */
export class Watches {
  readonly #options: WatchesOptions;
  /** To be written, written, and to be deleted. */
  readonly #begun = new Set<string>();
  readonly #written = new Set<string>();
  readonly #ended = new Set<string>();
  readonly #news = new Set<string>();
  #isWriting = false;
  #isTelling = false;
  #isClosed = false;

  constructor(options: WatchesOptions) {
    this.#options = options;
  }

  watch(task: string): void {
    if (this.#written.has(task)) return;
    this.#begun.add(task);
    this.#writeSoon();
  }

  unwatch(task: string): void {
    if (this.#begun.delete(task) || !this.#written.delete(task)) return;
    this.#ended.add(task);
    this.#writeSoon();
  }

  /** Whoever ends the life deletes its rows, and none may follow. */
  close(): void {
    this.#isClosed = true;
  }

  #writeSoon(): void {
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#options.clock.soon(() => void this.#write());
  }

  async #write(): Promise<void> {
    const { store, node, log } = this.#options;
    while (!this.#isClosed && this.#begun.size + this.#ended.size > 0) {
      const ended = takeAll(this.#ended);
      const begun = takeAll(this.#begun);
      for (const task of begun) this.#written.add(task);
      try {
        // What is watched again by now has its row deleted first.
        if (ended.length > 0) await store.watches.unwatch(node, ended);
        if (begun.length > 0) await store.watches.watch(node, begun);
      } catch (error) {
        for (const task of begun) this.#written.delete(task);
        log.warn("watches not written; the poll will do it", { error });
      }
      // Only now: what was committed before the watch is seen by the look.
      this.look(begun.filter((task) => this.#written.has(task)));
    }
    this.#isWriting = false;
  }

  /** Tells the watching nodes, after the commit: once a tick, for a hint takes a lock of the cluster. */
  announce(task: string): void {
    this.#news.add(task);
    if (this.#isTelling) return;
    this.#isTelling = true;
    this.#options.clock.soon(() => void this.#tell());
  }

  async #tell(): Promise<void> {
    const { store, node, log } = this.#options;
    while (this.#news.size > 0) {
      try {
        const watches = await store.watches.watchers(takeAll(this.#news));
        const byNode = Map.groupBy(watches, (watch) => watch.node);
        byNode.delete(node);
        const hints = Array.from(byNode, ([watcher, its]): Hint => {
          return { about: "watched", node: watcher, tasks: its.map(({ task }) => task) };
        });
        if (hints.length > 0) await store.hints.send(hints);
      } catch (error) {
        log.warn("watchers not told; their poll will look", { error });
      }
    }
    this.#isTelling = false;
  }

  /**
   * What the poll does with the tasks that are waited for. Not all of them are watched: when some
   * were asked for this node was alone, or ran them itself, or could not write.
   */
  async tend(tasks: readonly string[]): Promise<void> {
    for (const task of tasks) this.watch(task);
    await this.refresh(tasks);
  }

  /** Reads how watched tasks ended, and lets those who follow them read on. */
  async refresh(tasks: readonly string[]): Promise<void> {
    const { store, audience } = this.#options;
    for (let at = 0; at < tasks.length; at += refreshTasksMax) {
      const ids = tasks.slice(at, at + refreshTasksMax);
      const endings = await store.tasks.endings(ids);
      const byTask = new Map(endings.map((ending) => [ending.id, ending]));
      for (const id of ids) audience.poke(id, byTask.get(id) ?? null);
    }
  }

  /** The same where nobody waits for it: what cannot be read now, the poll reads later. */
  look(tasks: readonly string[]): void {
    this.refresh(tasks).catch((error: unknown) =>
      this.#options.log.warn("watched tasks not read; the poll will look", { error }),
    );
  }
}

function takeAll(tasks: Set<string>): string[] {
  const all = [...tasks];
  tasks.clear();
  return all;
}
