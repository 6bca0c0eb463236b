import type { Head } from "../store/store.ts";
import type { TaskActor } from "./task-actor.ts";
import { headKey } from "./worker-actor.ts";

/** What is remembered, at most: beyond it tasks are claimed as those of other nodes are. */
const tasksMax = 20_000;
const inputCharsMax = 32 * 1024 * 1024;

/**
 * Ready tasks that this node left to the queue itself, as their last commits left them. They belong
 * to nobody, here or in the store: whoever takes one says so in the commit that gives it to a
 * worker, and is told there when another node was first.
 */
export class OwnQueue {
  readonly #heads = new Map<string, TaskActor[]>();
  readonly #keys = new Map<string, string>();
  #inputChars = 0;

  get size(): number {
    return this.#keys.size;
  }

  /** False: there are too many. */
  add(head: Head, actor: TaskActor): boolean {
    const { id, input } = actor.identity;
    if (this.size >= tasksMax || this.#inputChars + input.length > inputCharsMax) return false;
    const key = headKey(head);
    const actors = this.#heads.get(key) ?? [];
    actors.splice(placeIn(actors, actor), 0, actor);
    this.#heads.set(key, actors);
    this.#keys.set(id, key);
    this.#inputChars += input.length;
    return true;
  }

  hasAt(head: Head): boolean {
    return this.#heads.has(headKey(head));
  }

  /** The first of all heads, by priority and age. */
  first(heads: readonly Head[]): { readonly head: Head; readonly actor: TaskActor } | null {
    let best: { readonly head: Head; readonly actor: TaskActor } | null = null;
    for (const head of heads) {
      const actor = this.#heads.get(headKey(head))?.[0];
      if (actor === undefined || (best !== null && !comesBefore(actor, best.actor))) continue;
      best = { head, actor };
    }
    return best;
  }

  /** False: it is not here. */
  drop(task: { readonly id: string; readonly priority: number }): boolean {
    const key = this.#keys.get(task.id);
    if (key === undefined) return false;
    this.#keys.delete(task.id);
    const actors = this.#heads.get(key) ?? [];
    const [dropped] = actors.splice(placeIn(actors, { identity: task }), 1);
    this.#inputChars -= dropped?.identity.input.length ?? 0;
    if (actors.length === 0) this.#heads.delete(key);
    return true;
  }

  /** Of heads that nobody here serves any more, nothing. */
  keepOnly(served: ReadonlySet<string>): void {
    for (const [key, actors] of this.#heads) {
      if (!served.has(key)) for (const { identity } of [...actors]) this.drop(identity);
    }
  }

  clear(): void {
    this.#heads.clear();
    this.#keys.clear();
    this.#inputChars = 0;
  }
}

interface Placed {
  readonly identity: Pick<TaskActor["identity"], "id" | "priority">;
}

/** Where it stands, or would stand. From the end: what comes is mostly younger than all others. */
function placeIn(actors: readonly TaskActor[], one: Placed): number {
  const last = actors.at(-1);
  if (last === undefined || comesBefore(last, one)) return actors.length;
  let low = 0;
  let high = actors.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (comesBefore(actors[middle] as TaskActor, one)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** By priority, then by age: ids grow with time. */
export function comesBefore({ identity: a }: Placed, { identity: b }: Placed): boolean {
  return a.priority - b.priority < 0 || (a.priority === b.priority && a.id < b.id);
}
