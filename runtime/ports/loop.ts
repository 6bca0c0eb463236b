import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";

/**
 * Does something again and again, one run at a time, `everyMs` after the last one ended; `nudge`
 * makes the next run come at once. A run that throws is logged and the loop goes on.
 */
export class Loop {
  readonly #options: LoopOptions;
  #cancel: (() => void) | null = null;
  #isRunning = false;
  #isNudged = false;
  #isStopped = true;
  #dueAt = 0;
  #onIdle: (() => void)[] = [];

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  start(): void {
    this.#isStopped = false;
    this.#arm(this.#options.everyMs);
  }

  nudge(): void {
    if (this.#isStopped) return;
    if (this.#isRunning) this.#isNudged = true;
    else this.#armNow();
  }

  /** Resolves when the run under way has ended. */
  stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel?.();
    if (!this.#isRunning) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  #arm(delayMs: number): void {
    this.#cancel?.();
    this.#dueAt = this.#options.clock.monotonic() + delayMs;
    this.#cancel = this.#options.clock.after(delayMs, () => void this.#run());
  }

  /** At the end of the tick: a timer would wait a millisecond. */
  #armNow(): void {
    this.#cancel?.();
    this.#dueAt = this.#options.clock.monotonic();
    let isWanted = true;
    this.#cancel = () => {
      isWanted = false;
    };
    this.#options.clock.soon(() => {
      if (isWanted) void this.#run();
    });
  }

  async #run(): Promise<void> {
    if (this.#isRunning || this.#isStopped) return;
    const { clock, log, name, run, everyMs } = this.#options;
    this.#isRunning = true;
    this.#isNudged = false;
    let nextMs: number | undefined;
    try {
      const next = await run(Math.max(0, clock.monotonic() - this.#dueAt));
      if (typeof next === "number") nextMs = next;
    } catch (error) {
      log.warn("loop failed, goes on", { loop: name, error });
    } finally {
      this.#isRunning = false;
    }
    for (const resolve of this.#onIdle.splice(0)) resolve();
    if (this.#isStopped) return;
    if (this.#isNudged) this.#armNow();
    else this.#arm(Math.min(nextMs ?? everyMs, everyMs));
  }
}

interface LoopOptions {
  readonly name: string;
  readonly everyMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** `lateMs`: how much later than meant the run began. A number it resolves with is the
   * delay until the next run. */
  run(lateMs: number): Promise<unknown>;
}
