interface Waiting {
  readonly cost: number;
  enter(): void;
}

/** Lets in what costs no more than it has, all together; groups of those who wait take turns. */
export class Turnstile {
  readonly #most: number;
  #free: number;
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(most: number) {
    this.#most = most;
    this.#free = most;
  }

  get isEmpty(): boolean {
    return this.#free === this.#most;
  }

  /** Resolves when it is let in; what costs more than all that there is never would be. */
  async enter(cost: number, group = ""): Promise<void> {
    if (this.#waiting.size === 0 && cost <= this.#free) {
      this.#free -= cost;
      return;
    }
    await new Promise<void>((enter) => {
      const ofGroup = this.#waiting.get(group);
      if (ofGroup === undefined) this.#waiting.set(group, [{ cost, enter }]);
      else ofGroup.push({ cost, enter });
    });
  }

  leave(cost: number): void {
    this.#free += cost;
    for (const [group, waiting] of this.#waiting) {
      const [first] = waiting;
      if (first === undefined || first.cost > this.#free) return;
      waiting.shift();
      // Set anew, so that it stands behind the others.
      this.#waiting.delete(group);
      if (waiting.length > 0) this.#waiting.set(group, waiting);
      this.#free -= first.cost;
      first.enter();
    }
  }
}
