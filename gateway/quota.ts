import { KantokuError } from "../sdk/errors.ts";

/** How many of a kind one connection may hold. Those asked for and not there yet count, too. */
export class Quota {
  readonly #max: number;
  readonly #kind: string;
  #opening = 0;

  /** `kind`: what the connection holds, in words, in the plural. */
  constructor(max: number, kind: string) {
    this.#max = max;
    this.#kind = kind;
  }

  /**
   * Opens one more beside the `held`.
   * @throws KantokuError `quota-exceeded`
   */
  async open<Opened>(held: number, open: () => Promise<Opened>): Promise<Opened> {
    if (held + this.#opening >= this.#max) {
      const message = `A connection holds at most ${this.#max} ${this.#kind}`;
      throw new KantokuError("quota-exceeded", message, { data: { quota: this.#max } });
    }
    this.#opening += 1;
    try {
      return await open();
    } finally {
      this.#opening -= 1;
    }
  }
}
