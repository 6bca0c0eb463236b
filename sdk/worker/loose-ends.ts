/**
 * The promises that a task's function was given, and what it makes of them with `then`. One that fails and that nobody listens to would
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
    const promise: Listened<Output> = new Listened(this, (resolve, reject) => {
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

type Awaitable<Value> = Value | PromiseLike<Value>;

/** A subclass, since `await` asks a plain promise for nothing that could be noticed. */
class Listened<Output> extends Promise<Output> {
  isListenedTo = false;
  readonly #ends: LooseEnds;

  constructor(ends: LooseEnds, executor: ConstructorParameters<typeof Promise<Output>>[0]) {
    super(executor);
    this.#ends = ends;
  }

  // Who begins to listen, by `await` or by `then`, asks for this first. It says that this is a plain
  // promise, so that `await` treats it as one.
  override get ["constructor"](): PromiseConstructor {
    this.isListenedTo = true;
    return Promise;
  }

  // biome-ignore lint/suspicious/noThenProperty: a promise has one
  override then<Kept = Output, Mended = never>(
    whenKept?: ((output: Output) => Awaitable<Kept>) | null,
    whenBroken?: ((failure: unknown) => Awaitable<Mended>) | null,
  ): Promise<Kept | Mended> {
    return this.#ends.hold(super.then(whenKept, whenBroken));
  }

  /** Its failure ends no process. That is not counted as listening. */
  survive(): void {
    void super.then(undefined, () => {});
    this.isListenedTo = false;
  }
}
