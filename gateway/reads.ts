import { KantokuError } from "../sdk/errors.ts";

interface Waiting {
  isWanted(): boolean;
  begin(): Promise<void>;
  giveUp(): void;
}

/**
 * The reads of one kind of one gateway: so few at once that others hardly feel them, of one connection
 * fewer than that. The next is always of the connection that has gone without for longest, so that
 * nobody stands behind all that a greedier one asked for, and a new connection overtakes nobody.
 */
export class Reads {
  readonly #most: number;
  readonly #mostOfOne: number;
  #running = 0;
  /** Counts the reads that began, and is the only time there is here. */
  #turn = 0;
  /** The lines in which somebody waits. */
  readonly #lines = new Set<ReadLine>();

  constructor({ most, mostOfOne }: { most: number; mostOfOne: number }) {
    this.#most = most;
    this.#mostOfOne = mostOfOne;
  }

  /** The place where the reads of one connection wait, or others of which `most` run at once. */
  openLine(most: number = this.#mostOfOne): ReadLine {
    const onWaiting = (line: ReadLine) => {
      this.#lines.add(line);
      this.#admit();
    };
    return new ReadLine({ most, openedAt: this.#turn, onWaiting });
  }

  #admit(): void {
    while (this.#running < this.#most) {
      const line = this.#nextLine();
      if (line === undefined) return;
      const next = line.take();
      if (line.isEmpty) this.#lines.delete(line);
      if (next !== undefined) void this.#begin(next, line);
    }
  }

  #nextLine(): ReadLine | undefined {
    let next: ReadLine | undefined;
    for (const line of this.#lines) {
      if (line.running >= line.most) continue;
      if (next === undefined || line.servedAt < next.servedAt) next = line;
    }
    return next;
  }

  async #begin(waiting: Waiting, line: ReadLine): Promise<void> {
    this.#turn += 1;
    this.#running += 1;
    line.servedAt = this.#turn;
    line.running += 1;
    await waiting.begin();
    this.#running -= 1;
    line.running -= 1;
    this.#admit();
  }
}

/**
 * The reads of one connection, in the order in which they came. Those that nobody wants any
 * more when their turn comes never begin.
 */
export class ReadLine {
  /** The turn in which one of these reads began last, or in which the line was opened. */
  servedAt: number;
  running = 0;
  readonly most: number;
  readonly #waiting: Waiting[] = [];
  readonly #onWaiting: (line: ReadLine) => void;

  constructor({
    most,
    openedAt,
    onWaiting,
  }: { most: number; openedAt: number; onWaiting: (line: ReadLine) => void }) {
    this.most = most;
    this.servedAt = openedAt;
    this.#onWaiting = onWaiting;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  run<T>(read: () => Promise<T>, isWanted: () => boolean): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        isWanted,
        begin: async () => {
          try {
            resolve(await read());
          } catch (failure) {
            reject(failure);
          }
        },
        giveUp: () => {
          const message = "nobody waits for this answer any more";
          reject(new KantokuError("deadline-exceeded", message));
        },
      });
      this.#onWaiting(this);
    });
  }

  take(): Waiting | undefined {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (next.isWanted()) return next;
      next.giveUp();
    }
    return undefined;
  }
}
