/**
 * The promises that a task's function was given. One that fails and that nobody listens to would
 * end the process, and with it all that runs beside the task: here it is told instead, once the
 * function has ended, since until then it may still be awaited.
 */
export class LooseEnds {
  readonly #tell: (failure: unknown) => void;
  readonly #failures: { readonly promise: Listened<unknown>; readonly failure: unknown }[] = [];
  #hasEnded = false;

  constructor(tell: (failure: unknown) => void) {
    this.#tell = tell;
  }

  hold<Output>(given: Promise<Output>): Promise<Output> {
    const promise = new Listened<Output>((resolve) => resolve(given));
    promise.overhear((failure) => {
      if (!this.#hasEnded) this.#failures.push({ promise, failure });
      else if (!promise.isListenedTo) this.#tell(failure);
    });
    return promise;
  }

  /** The function has ended: what it has not awaited it never will. */
  close(): void {
    this.#hasEnded = true;
    for (const { promise, failure } of this.#failures) {
      if (!promise.isListenedTo) this.#tell(failure);
    }
  }
}

type Awaitable<Value> = Value | PromiseLike<Value>;

/** A subclass, since `await` does not ask a plain promise for its `then`. */
class Listened<Output> extends Promise<Output> {
  isListenedTo = false;

  // What comes of it is a plain promise, and none of ours.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  // biome-ignore lint/suspicious/noThenProperty: a promise has one, and who calls it listens
  override then<Kept = Output, Mended = never>(
    whenKept?: ((output: Output) => Awaitable<Kept>) | null,
    whenBroken?: ((failure: unknown) => Awaitable<Mended>) | null,
  ): Promise<Kept | Mended> {
    this.isListenedTo = true;
    return super.then(whenKept, whenBroken);
  }

  /** Listens without being counted as a listener. */
  overhear(whenBroken: (failure: unknown) => void): void {
    super.then(undefined, whenBroken);
  }
}
