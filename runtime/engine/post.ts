import { KantokuError } from "../../sdk/errors.ts";
import type { Entropy } from "../ports/entropy.ts";
import type { Log } from "../ports/log.ts";
import type { Letter } from "../store/rows.ts";
import type { HintBus, Store } from "../store/store.ts";
import type { Joins, Released } from "./joins.ts";
import { failCaller, type TaskMessage } from "./messages.ts";
import type { TaskActor } from "./task-actor.ts";
import type { TaskDirectory } from "./task-directory.ts";

interface PostOptions {
  readonly node: string;
  readonly store: Store;
  readonly log: Log;
  readonly entropy: Entropy;
  readonly directory: TaskDirectory;
  readonly joins: Joins;
}

/** What a letter holds. Only commands whose answer is "durably queued" travel as letters. */
interface CancelLetter {
  readonly type: "cancel";
  readonly reason: string;
}

/** Written by the commit that ended the last task that its addressee waited for. */
interface ReleasedLetter {
  readonly type: "released";
}

interface NewerLetter {
  readonly type: string;
}

/** Finds the actor of a message: in memory, unowned in the store, or on another node. */
export class Post {
  readonly #options: PostOptions;
  /** Taken again each time, they would in the end be all that a look finds. */
  readonly #leftToOthers = new Set<string>();

  constructor(options: PostOptions) {
    this.#options = options;
  }

  /** The task in this node's hands, or null: another live node owns it, or it does not exist. */
  async reach(task: string, worker?: string): Promise<TaskActor | null> {
    const { directory, store, node } = this.#options;
    const present = directory.get(task);
    if (present !== undefined) return present;
    const [row] = await store.tasks.acquire(node, [task], worker);
    return row === undefined ? null : directory.adopt(row);
  }

  /** Delivers here, or leaves a letter for the owner. Resolves when it is durable or in a mailbox. */
  async cancel(task: string, message: Extract<TaskMessage, { type: "cancel" }>): Promise<void> {
    const { directory, store, entropy } = this.#options;
    const actor = await this.reach(task);
    if (actor !== null) return directory.post(actor, message);
    const letter: CancelLetter = { type: "cancel", reason: message.reason };
    await store.mail.post({ id: entropy.id(), actor: task, message: JSON.stringify(letter) });
    await hint(store.hints, this.#options.log);
    message.caller?.answer({ accepted: true });
  }

  /** Takes in letters for tasks that this node owns or may own. True: there may be more. */
  async collect(limit: number): Promise<boolean> {
    const { directory, store, node, joins } = this.#options;
    const collected = await store.mail.collect(node, limit, [
      ...joins.inHand,
      ...this.#leftToOthers,
    ]);
    const released: Released[] = [];
    for (const { letter, task } of collected) {
      const actor = directory.takeIn(task);
      if (actor === null || actor.isCommitting || holdsLetter(actor, letter.id)) continue;
      const message = JSON.parse(letter.message) as CancelLetter | ReleasedLetter | NewerLetter;
      if (isReleased(message)) released.push({ letter: letter.id, actor });
      else if (isCancel(message)) {
        const { reason } = message;
        directory.post(actor, { type: "cancel", reason, letter: letter.id, caller: null });
      } else this.#leaveToOthers(letter, actor, message);
    }
    joins.take(released);
    return collected.length === limit;
  }

  /** Of nodes that share a database, the newer ones may know more kinds of letters. */
  #leaveToOthers({ id }: Letter, actor: TaskActor, { type }: NewerLetter): void {
    const { log, directory } = this.#options;
    this.#leftToOthers.add(id);
    log.warn("a letter of a kind unknown here is left to a newer node", { letter: id, type });
    directory.leave([actor]);
  }

  /** A message whose actor was stale here. What is derived again from rows is let go. */
  reroute(task: string, message: TaskMessage): void {
    if (message.type === "cancel" && message.letter === null) {
      this.cancel(task, message).catch((error: unknown) => failCaller(message, moved(error)));
      return;
    }
    failCaller(message, moved());
  }
}

function isCancel(message: NewerLetter): message is CancelLetter {
  return message.type === "cancel";
}

function isReleased(message: NewerLetter): message is ReleasedLetter {
  return message.type === "released";
}

function holdsLetter(actor: TaskActor, letter: string): boolean {
  return actor.mailbox.some((it) => "letter" in it && it.letter === letter);
}

function moved(cause?: unknown): KantokuError {
  return new KantokuError("busy", "the task moved to another node; send again", {
    data: { retryAfterMs: 50 },
    ...(cause === undefined ? {} : { cause }),
  });
}

async function hint(hints: HintBus, log: Log): Promise<void> {
  await hints.send([{ about: "mail" }]).catch((error: unknown) => {
    log.warn("hint not sent; the poll will find it", { error });
  });
}
