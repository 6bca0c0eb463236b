/** About what a commit takes on a disk of one's own; where it takes much longer, little is gained. */
const watchMsMax = 1;
/** Between two looks at the sockets. */
const pauseMs = 0.005;
/** A task by itself, or a link of a chain. */
const fewTurns = 4;

/**
 * Keeps the event loop awake over a commit of few turns that is alone under way. A loop with nothing
 * to do puts its processor to sleep, and to be woken by the answer takes a tenth of a task's latency
 * and more, above all on a virtual machine.
 *
 * V1. Only while nothing else is under way: then the database needs the processor.
 * V2. Never for longer than a millisecond a commit, and not on a machine with a single processor.
 */
export class Vigil {
  readonly #isWorthIt: boolean;
  #underWay = 0;
  #isAwake = false;
  #endsAt = 0;

  constructor(processors: number) {
    this.#isWorthIt = processors > 1;
  }

  async over<T>(turns: number, commit: Promise<T>): Promise<T> {
    this.#underWay += 1;
    if (this.#isWorthIt && this.#underWay === 1 && turns <= fewTurns) this.#begin();
    try {
      return await commit;
    } finally {
      this.#underWay -= 1;
    }
  }

  #begin(): void {
    this.#endsAt = performance.now() + watchMsMax;
    if (this.#isAwake) return;
    this.#isAwake = true;
    setImmediate(this.#look);
  }

  readonly #look = (): void => {
    const now = performance.now();
    this.#isAwake = this.#underWay === 1 && now < this.#endsAt;
    if (!this.#isAwake) return;
    while (performance.now() < now + pauseMs);
    setImmediate(this.#look);
  };
}
