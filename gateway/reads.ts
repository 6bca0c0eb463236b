import { KantokuError } from "../sdk/errors.ts";

interface Waiting {
  isWanted(): boolean;
  begin(): void;
  giveUp(): void;
}

/**
 * The large reads of one connection: so few at once that others hardly feel them, the rest in the
 * order in which they came. Those that nobody wants any more when their turn comes never begin.
 */
export class Reads {
  readonly #most: number;
  #running = 0;
  readonly #waiting: Waiting[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  run<T>(read: () => Promise<T>, isWanted: () => boolean): Promise<T> {
    if (this.#running < this.#most) return this.#begin(read);
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        isWanted,
        begin: () => this.#begin(read).then(resolve, reject),
        giveUp: () => {
          const message = "nobody waits for this answer any more";
          reject(new KantokuError("deadline-exceeded", message));
        },
      });
    });
  }

  async #begin<T>(read: () => Promise<T>): Promise<T> {
    this.#running += 1;
    try {
      return await read();
    } finally {
      this.#running -= 1;
      this.#admitNext();
    }
  }

  #admitNext(): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (next.isWanted()) return next.begin();
      next.giveUp();
    }
  }
}
