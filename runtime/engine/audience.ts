import type { Subscriber } from "../../sdk/protocol/service.ts";
import { isEnded, isOver, type JournalEvent } from "../../sdk/protocol/task.ts";
import type { Log } from "../ports/log.ts";
import type { EndingRow, EventRow, TaskState } from "../store/rows.ts";
import type { JournalStore, TaskStore } from "../store/store.ts";

/** The end of a task, as waiters need it. */
export type Ending = Omit<EndingRow, "id">;

interface AudienceOptions {
  readonly journal: JournalStore;
  readonly tasks: TaskStore;
  readonly log: Log;
  /** Called when the first listener of a task comes, and when the last one has gone. */
  onAttention(task: string, isWanted: boolean): void;
}

/**
 * What is read of a journal at once: no more than a reader who is far behind is given before it is
 * told to come again. A row may hold a quarter MiB, and hundreds may read at once.
 */
const page = { limit: 500, bytesMax: 1024 * 1024 };

/**
 * Who wants to know what of which task: waiters for its end and subscribers to its journal.
 *
 * A1. A subscriber gets seq `after + 1`, `after + 2` … without gap or duplicate: what was committed
 *     here is passed on when it is the next one, and whatever is missing is read from the journal.
 */
export class Audience {
  readonly #options: AudienceOptions;
  readonly #waiters = new Map<string, Set<(ending: Ending | null) => void>>();
  readonly #followers = new Map<string, Set<Follower>>();
  #isClosed = false;

  constructor(options: AudienceOptions) {
    this.#options = options;
  }

  get followerCount(): number {
    let followers = 0;
    for (const ofTask of this.#followers.values()) followers += ofTask.size;
    return followers;
  }

  /**
   * Calls once with the task's end, or null when the node stops before it, unless the returned
   * function is called first.
   */
  awaitEnd(task: string, onEnd: (ending: Ending | null) => void): () => void {
    if (this.#isClosed) queueMicrotask(() => onEnd(null));
    const waiters = this.#waiters.get(task) ?? new Set();
    if (waiters.size === 0) this.#attend(task, () => this.#waiters.set(task, waiters));
    waiters.add(onEnd);
    return () => {
      waiters.delete(onEnd);
      if (waiters.size === 0 && this.#waiters.get(task) === waiters) {
        this.#desert(task, () => this.#waiters.delete(task));
      }
    };
  }

  follow(task: string, after: number, subscriber: Subscriber): () => void {
    const followers = this.#followers.get(task) ?? new Set();
    if (followers.size === 0) this.#attend(task, () => this.#followers.set(task, followers));
    const follower: Follower = {
      task,
      subscriber,
      lastSeq: after,
      isReading: false,
      isPoked: false,
      isOver: false,
    };
    followers.add(follower);
    void this.#read(follower);
    return () => this.#unfollow(follower);
  }

  /** Something was committed here. */
  publish(task: string, state: TaskState, events: readonly EventRow[]): void {
    const followers = this.#followers.get(task);
    if (followers !== undefined) {
      for (const follower of [...followers]) this.#pass(follower, state, events);
    }
    if (isOver(state.status)) this.#end(task, state);
  }

  progress(task: string, progress: unknown): void {
    for (const { subscriber } of this.#followers.get(task) ?? []) {
      subscriber.progress({ task, progress });
    }
  }

  /** Something may have been committed elsewhere; `ending` when the task is over. */
  poke(task: string, ending: Ending | null): void {
    for (const follower of this.#followers.get(task) ?? []) void this.#read(follower);
    if (ending !== null) this.#end(task, ending);
  }

  /** The tasks that somebody here waits for. */
  attended(): string[] {
    return [...new Set([...this.#waiters.keys(), ...this.#followers.keys()])];
  }

  close(): void {
    this.#isClosed = true;
    for (const task of [...this.#waiters.keys()]) this.#end(task, null);
    for (const followers of [...this.#followers.values()]) {
      for (const follower of [...followers]) this.#finish(follower, "shutdown");
    }
  }

  #end(task: string, ending: Ending | null): void {
    const waiters = this.#waiters.get(task);
    if (waiters === undefined) return;
    this.#desert(task, () => this.#waiters.delete(task));
    for (const onEnd of waiters) onEnd(ending);
  }

  #pass(follower: Follower, state: TaskState, events: readonly EventRow[]): void {
    const first = events[0];
    if (follower.isReading || (first !== undefined && first.seq !== follower.lastSeq + 1)) {
      void this.#read(follower);
      return;
    }
    for (const event of events) this.#deliver(follower, event);
    if (isEnded(state.status) && events.length > 0) this.#finish(follower, "ended");
  }

  /** Reads on until nothing is left; a poke during the read makes it look once more. */
  async #read(follower: Follower): Promise<void> {
    follower.isPoked = true;
    if (follower.isReading) return;
    follower.isReading = true;
    try {
      while (follower.isPoked && !follower.isOver && !this.#isClosed) {
        follower.isPoked = false;
        await this.#readPage(follower);
      }
    } catch (error) {
      // The next commit, hint or poll pokes it again.
      this.#options.log.warn("journal read failed", { task: follower.task, error });
    } finally {
      follower.isReading = false;
    }
  }

  /** The task before its journal: when it had ended then, the journal read after it is complete. */
  async #readPage(follower: Follower): Promise<void> {
    const { tasks, journal } = this.#options;
    const [task] = await tasks.readMany([follower.task]);
    if (task === undefined) return this.#finish(follower, "deleted");
    const after = follower.lastSeq;
    const { rows, isCut } = await journal.readPart(follower.task, { after, ...page });
    for (const event of rows) {
      if (event.seq === follower.lastSeq + 1) this.#deliver(follower, event);
    }
    if (isCut || rows.length === page.limit) follower.isPoked = true;
    else if (isEnded(task.status) && follower.lastSeq >= task.seq) this.#finish(follower, "ended");
  }

  #deliver(follower: Follower, event: EventRow): void {
    if (follower.isOver) return;
    follower.lastSeq = event.seq;
    follower.subscriber.event({ ...toJournalEvent(event), task: follower.task });
  }

  #finish(follower: Follower, reason: "ended" | "deleted" | "shutdown"): void {
    if (follower.isOver) return;
    follower.subscriber.end(reason);
    this.#unfollow(follower);
  }

  #unfollow(follower: Follower): void {
    follower.isOver = true;
    const followers = this.#followers.get(follower.task);
    followers?.delete(follower);
    if (followers?.size === 0) {
      this.#desert(follower.task, () => this.#followers.delete(follower.task));
    }
  }

  #attend(task: string, add: () => void): void {
    const isNew = !this.#isAttended(task);
    add();
    if (isNew) this.#options.onAttention(task, true);
  }

  #desert(task: string, remove: () => void): void {
    remove();
    if (!this.#isAttended(task)) this.#options.onAttention(task, false);
  }

  #isAttended(task: string): boolean {
    return this.#waiters.has(task) || this.#followers.has(task);
  }
}

interface Follower {
  readonly task: string;
  readonly subscriber: Subscriber;
  lastSeq: number;
  isReading: boolean;
  isPoked: boolean;
  isOver: boolean;
}

export function toJournalEvent(row: EventRow): JournalEvent {
  return {
    seq: row.seq,
    type: row.type,
    at: row.at,
    data: JSON.parse(row.data) as JournalEvent["data"],
  };
}
