declare const given: unique symbol;

/**
 * Stands, inside the input of a call, for a value that is known once the tasks before it have
 * ended: a call for its task's output, a `Pending` for what was picked or reshaped from outputs.
 */
export interface Reference<Value> {
  /** Only a type. */
  readonly [given]: Value;
}

/**
 * A value to come. Its fields are values to come, too; one that will not be found is null. It can
 * be given to calls as a whole, reshaped, joined and chosen from, but not looked into.
 */
export type Pending<Value> = Reference<Value> & Reshapeable<Value> & Fields<Value>;

interface Reshapeable<Value> {
  /**
   * The function's source travels and runs in a sandbox: it sees its argument, JSON and the
   * language, and nothing of its surroundings.
   * @throws KantokuError `invalid-definition` for what has no source or is not synchronous
   */
  map<Result>(reshape: (value: Value) => Result): Pending<Result>;
}

type Fields<Value> = {
  readonly [Key in KeysOf<Value>]: Pending<Picked<Value, Key>>;
};

// `then` and `toJSON` are asked for by the language itself.
type KeysOf<Value> = Value extends readonly unknown[]
  ? IndexesOf<Value>
  : Value extends object
    ? Exclude<Extract<keyof Value, string | number>, "then" | "toJSON">
    : never;

type IndexesOf<List extends readonly unknown[]> = number extends List["length"]
  ? number
  : Extract<keyof List, `${number}`>;

type Picked<Value, Key> = Value extends object
  ? Key extends keyof Value
    ? Value[Key] extends infer Found
      ? Found extends undefined
        ? null
        : Found
      : never
    : null
  : null;

/** What a call takes in place of an input: references anywhere inside it. */
export type Composed<Input> = Input | Reference<Input> | Parts<Input>;

type Parts<Input> = Input extends (...args: never) => unknown
  ? never
  : Input extends object
    ? { readonly [Key in keyof Input]: Composed<Input[Key]> }
    : never;

/** What a reference stands for. */
export type ReferredBy<R> = R extends Reference<infer Value> ? Value : never;
