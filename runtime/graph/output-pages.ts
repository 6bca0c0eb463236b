import type { Source } from "../../sdk/protocol/graph.ts";
import type { JsonText } from "../store/rows.ts";
import { isLeftOut, type Outcome, outputOf } from "./outcome.ts";
import { withParts } from "./vertices.ts";

export type ReadOutputs = (tasks: readonly string[]) => Promise<ReadonlyMap<string, JsonText>>;

const pageBytesMax = 8 * 1024 * 1024;

/** Outputs that are too much to be held together: a page of them at a time, in the order of use. */
export class OutputPages {
  readonly #order: readonly Outcome[];
  readonly #places: ReadonlyMap<string, number>;
  readonly #read: ReadOutputs;
  readonly #values = new Map<string, unknown>();
  #texts = new Map<string, JsonText>();

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
    if (this.#values.has(name)) return this.#values.get(name);
    if (!this.#texts.has(outcome.id)) await this.#turnTo(place);
    const value = outputOf({ ...outcome, output: this.#texts.get(outcome.id) ?? null });
    this.#texts.delete(outcome.id);
    this.#values.set(name, value);
    return value;
  }

  /** Where the first output that a source speaks of stands. */
  placeOf(source: Source, nameOf: (task: string) => string): number {
    for (const part of withParts(source)) {
      if ("task" in part) return this.#places.get(nameOf(part.task)) ?? 0;
    }
    return 0;
  }

  async #turnTo(first: number): Promise<void> {
    this.#values.clear();
    this.#texts.clear();
    const ids: string[] = [];
    let bytes = 0;
    for (let place = first; place < this.#order.length; place += 1) {
      const outcome = this.#order[place] as Outcome;
      if (!isLeftOut(outcome)) continue;
      bytes += outcome.outputBytes ?? 0;
      if (ids.length > 0 && bytes > pageBytesMax) break;
      ids.push(outcome.id);
    }
    this.#texts = new Map(await this.#read(ids));
  }
}
