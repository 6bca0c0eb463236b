import type { Source } from "../../sdk/protocol/graph.ts";
import type { JsonText } from "../store/rows.ts";
import { isLeftOut, type Outcome, outputOf } from "./outcome.ts";
import { withParts } from "./vertices.ts";

export type ReadOutputs = (tasks: readonly string[]) => Promise<ReadonlyMap<string, JsonText>>;

const pageBytesMax = 4 * 1024 * 1024;
/** A page, and as much of what was used before it. */
const heldBytesMax = 2 * pageBytesMax;

/** Parsed when it is used. */
type Held = { readonly bytes: number } & (
  | { readonly text: JsonText | null }
  | { readonly value: unknown }
);

/**
 * Outputs that are too much to be held together: a page of them at a time, in the order of use.
 * Those that were used last stay, for many sources may share one.
 */
export class OutputPages {
  readonly #order: readonly Outcome[];
  readonly #places: ReadonlyMap<string, number>;
  readonly #read: ReadOutputs;
  readonly #wereRead = new Set<string>();
  /** By name; what was used last is last. */
  readonly #held = new Map<string, Held>();
  #heldBytes = 0;

  constructor(order: readonly Outcome[], read: ReadOutputs) {
    this.#order = order;
    this.#places = new Map(order.map(({ name }, place) => [name, place]));
    this.#read = read;
  }

  async valueOf(name: string): Promise<unknown> {
    const place = this.#places.get(name);
    const outcome = place === undefined ? undefined : this.#order[place];
    if (place === undefined || outcome === undefined) return null;
    if (!isLeftOut(outcome)) return outputOf(outcome);
    if (!this.#held.has(name)) await this.#readFrom(place);
    const held = this.#held.get(name) ?? { text: null };
    const value = "value" in held ? held.value : outputOf({ ...outcome, output: held.text });
    this.#hold(outcome, { value, bytes: bytesOf(outcome) });
    return value;
  }

  /** Where the first output that a source speaks of stands. */
  placeOf(source: Source, nameOf: (task: string) => string): number {
    for (const part of withParts(source)) {
      if ("task" in part) return this.#places.get(nameOf(part.task)) ?? 0;
    }
    return 0;
  }

  async #readFrom(place: number): Promise<void> {
    const page = this.#pageFrom(place);
    const texts = await this.#read(page.map(({ id }) => id));
    for (const outcome of page) {
      this.#wereRead.add(outcome.name);
      this.#hold(outcome, { text: texts.get(outcome.id) ?? null, bytes: bytesOf(outcome) });
    }
  }

  /** Whoever goes back to one that was let go need not want those after it. */
  #pageFrom(place: number): Outcome[] {
    const page: Outcome[] = [];
    let bytes = 0;
    for (const outcome of this.#order.slice(place)) {
      const wasRead = this.#wereRead.has(outcome.name);
      if (wasRead && page.length === 0) return [outcome];
      if (wasRead || !isLeftOut(outcome)) continue;
      bytes += bytesOf(outcome);
      if (page.length > 0 && bytes > pageBytesMax) break;
      page.push(outcome);
    }
    return page;
  }

  #hold({ name }: Outcome, held: Held): void {
    this.#heldBytes += held.bytes - (this.#held.get(name)?.bytes ?? 0);
    this.#held.delete(name);
    this.#held.set(name, held);
    for (const [oldest, { bytes }] of this.#held) {
      if (this.#heldBytes <= heldBytesMax || oldest === name) break;
      this.#held.delete(oldest);
      this.#heldBytes -= bytes;
    }
  }
}

function bytesOf({ outputBytes }: Outcome): number {
  return outputBytes ?? 0;
}
