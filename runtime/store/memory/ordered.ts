type Compare<Key> = (a: Key, b: Key) => number;

export function byText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

export function byNumber(a: number, b: number): number {
  return a - b;
}

/**
 * Items in the order of their keys, each key once: an index over a table. An array searched by
 * halves, because ids and seqs grow: nearly every insert is a push.
 */
export class Ordered<Item, Key> {
  readonly #items: Item[] = [];
  readonly #keyOf: (item: Item) => Key;
  readonly #compare: Compare<Key>;

  constructor(keyOf: (item: Item) => Key, compare: Compare<Key>) {
    this.#keyOf = keyOf;
    this.#compare = compare;
  }

  get size(): number {
    return this.#items.length;
  }

  get first(): Item | undefined {
    return this.#items[0];
  }

  get last(): Item | undefined {
    return this.#items.at(-1);
  }

  has(key: Key): boolean {
    const item = this.#items[this.#placeOf(key)];
    return item !== undefined && this.#compare(this.#keyOf(item), key) === 0;
  }

  /** Replaces the item that has this one's key, if there is one. */
  set(item: Item): void {
    const key = this.#keyOf(item);
    this.#items.splice(this.#placeOf(key), this.has(key) ? 1 : 0, item);
  }

  delete(key: Key): void {
    if (this.has(key)) this.#items.splice(this.#placeOf(key), 1);
  }

  /** All items in order. The list must not change while it is walked. */
  [Symbol.iterator](): Iterator<Item> {
    return this.#items[Symbol.iterator]();
  }

  /** Those whose key is greater, in order. */
  *above(key: Key): Generator<Item> {
    const place = this.#placeOf(key) + (this.has(key) ? 1 : 0);
    for (let index = place; index < this.#items.length; index += 1) {
      yield this.#items[index] as Item;
    }
  }

  /** Those whose key is less, the greatest first; all of them without a key. */
  *below(key?: Key): Generator<Item> {
    const place = key === undefined ? this.#items.length : this.#placeOf(key);
    for (let index = place - 1; index >= 0; index -= 1) yield this.#items[index] as Item;
  }

  /** Where the first item stands whose key is not less. */
  #placeOf(key: Key): number {
    const last = this.last;
    if (last === undefined || this.#compare(this.#keyOf(last), key) < 0) return this.#items.length;
    let [low, high] = [0, this.#items.length - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const item = this.#items[middle] as Item;
      if (this.#compare(this.#keyOf(item), key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
