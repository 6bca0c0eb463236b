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
    // One listener a promise, and `resolve` itself: V8 follows no other chain to find the line of
    // the function that awaits, for the stack of an error.
    const promise: Listened<Output> = new Listened((resolve, reject) => {
      void given.then(resolve, (failure) => {
        if (!promise.isListenedTo) this.#keep(promise, failure);
        reject(failure);
      });
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

  #keep(promise: Listened<unknown>, failure: unknown): void {
    promise.survive();
    if (this.#hasEnded) this.#tell(failure);
    else this.#failures.push({ promise, failure });
  }
}

/** A subclass, since `await` asks a plain promise for nothing that could be noticed. */
class Listened<Output> extends Promise<Output> {
  isListenedTo = false;

  // Who begins to listen, by `await` or by `then`, asks for this first. It says that this is a plain
  // promise, so that `await` treats it as one, and so is what comes of it.
  override get ["constructor"](): PromiseConstructor {
    this.isListenedTo = true;
    return Promise;
  }

  /** Its failure ends no process. That is not counted as listening. */
  survive(): void {
    this.then(undefined, () => {});
    this.isListenedTo = false;
  }
}
