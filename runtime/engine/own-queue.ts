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
  readonly #rows = new Map<string, Row>();
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
    const row = this.#rows.get(key) ?? new Row();
    row.add(actor);
    this.#rows.set(key, row);
    this.#keys.set(id, key);
    this.#inputChars += input.length;
    return true;
  }

  hasAt(head: Head): boolean {
    return this.#rows.has(headKey(head));
  }

  /** The first of all heads, by priority and age. */
  first(heads: readonly Head[]): { readonly head: Head; readonly actor: TaskActor } | null {
    let best: { readonly head: Head; readonly actor: TaskActor } | null = null;
    for (const head of heads) {
      const actor = this.#rows.get(headKey(head))?.first;
      if (actor === undefined || (best !== null && !comesBefore(actor, best.actor))) continue;
      best = { head, actor };
    }
    return best;
  }

  /** False: it is not here. */
  drop(task: Placed["identity"]): boolean {
    const key = this.#keys.get(task.id);
    const row = key === undefined ? undefined : this.#rows.get(key);
    if (key === undefined || row === undefined) return false;
    this.#keys.delete(task.id);
    this.#inputChars -= row.drop({ identity: task })?.identity.input.length ?? 0;
    if (row.first === undefined) this.#rows.delete(key);
    return true;
  }

  /** Of heads that nobody here serves any more, nothing. */
  keepOnly(served: ReadonlySet<string>): void {
    for (const [key, row] of this.#rows) {
      if (!served.has(key)) for (const { identity } of row.all()) this.drop(identity);
    }
  }

  clear(): void {
    this.#rows.clear();
    this.#keys.clear();
    this.#inputChars = 0;
  }
}

/** What of a row has been taken from its front is cut off once it is so much, and half of all. */
const cutMin = 256;

/** The tasks of one head in their order. Mostly taken from the front, mostly added at the end. */
class Row {
  readonly #actors: TaskActor[] = [];
  #from = 0;

  get first(): TaskActor | undefined {
    return this.#actors[this.#from];
  }

  all(): readonly TaskActor[] {
    return this.#actors.slice(this.#from);
  }

  add(actor: TaskActor): void {
    this.#actors.splice(this.#placeOf(actor), 0, actor);
  }

  drop(one: Placed): TaskActor | undefined {
    const place = this.#placeOf(one);
    if (place !== this.#from) return this.#actors.splice(place, 1)[0];
    const { first } = this;
    this.#from += 1;
    if (this.#from >= cutMin && this.#from * 2 >= this.#actors.length) {
      this.#actors.splice(0, this.#from);
      this.#from = 0;
    }
    return first;
  }

  /** Where it stands, or would stand. */
  #placeOf(one: Placed): number {
    const last = this.#actors.at(-1);
    let low = this.#from;
    let high = this.#actors.length;
    if (last !== undefined && comesBefore(last, one)) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (comesBefore(this.#actors[middle] as TaskActor, one)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

interface Placed {
  readonly identity: Pick<TaskActor["identity"], "id" | "priority">;
}

/** By priority, then by age: ids grow with time. */
export function comesBefore({ identity: a }: Placed, { identity: b }: Placed): boolean {
  return a.priority < b.priority || (a.priority === b.priority && a.id < b.id);
}
