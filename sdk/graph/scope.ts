/** The body of a pipeline or of an `each`: what is made in it belongs to its graph. */
export interface Scope {
  /** What its body is given. */
  readonly given: "input" | "item";
  /** Names it in messages. */
  readonly label: string;
}

let current: Scope | undefined;

/** Undefined outside of all bodies. */
export function currentScope(): Scope | undefined {
  return current;
}

/** Bodies are synchronous, so that what is made meanwhile is made by them. */
export function within<Result>(scope: Scope, body: () => Result): Result {
  const outer = current;
  current = scope;
  try {
    return body();
  } finally {
    current = outer;
  }
}
