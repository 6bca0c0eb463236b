import type { Call } from "./call.ts";
import type { TaskContext } from "./context.ts";
import { KantokuError } from "./errors.ts";
import { makeCall } from "./graph/made-call.ts";
import type { Composed } from "./graph/reference.ts";
import { limits, namePattern } from "./protocol/limits.ts";
import type { ServedDefinition } from "./protocol/service.ts";
import { type RetryOptions, toRetryPolicy } from "./retry.ts";
import { faultOfSchemas, type Given, type Schema, type Taken, toJsonSchema } from "./schema.ts";
import { type Duration, toMs } from "./values/duration.ts";

export interface TaskOptions {
  /** Written as a name is. Workers take tasks of their own versions; without one, of any. */
  readonly version?: string;
  readonly retry?: RetryOptions;
  /** From the first assignment to the end, all attempts and backoffs included. */
  readonly timeout?: Duration;
  readonly attemptTimeout?: Duration;
  /** On every task made from a call of this definition. */
  readonly labels?: Readonly<Record<string, string>>;
}

type Awaitable<Value> = Value | PromiseLike<Value>;
type Body<Input, Result> = (input: Input, ctx: TaskContext) => Awaitable<Result>;

/** What a worker needs of a definition, whatever its types. */
export interface AnyDefinition {
  readonly kind: "task";
  readonly name: string;
  readonly served: ServedDefinition;
  readonly input: Schema | undefined;
  readonly output: Schema | undefined;
  readonly body: (input: never, ctx: TaskContext) => unknown;
}

/** A named task function. Applying it to an input makes a call; a worker serves it. */
export interface TaskDefinition<Input, Output> extends AnyDefinition {
  (
    ...args: undefined extends Input ? [input?: Composed<Input>] : [input: Composed<Input>]
  ): Call<Output>;
}

/** What a definition's calls take. */
export type InputOf<Definition> =
  Definition extends TaskDefinition<infer Input, infer _> ? Input : never;
/** What a definition's tasks give. */
export type OutputOf<Definition> =
  Definition extends TaskDefinition<infer _, infer Output> ? Output : never;

/**
 * Defines a task. With schemas, input is checked at the worker before the function runs and output
 * after it; a mismatch fails the task at once, with its issues.
 * @throws KantokuError `invalid-definition`
 */
export function task<InputSchema extends Schema, OutputSchema extends Schema>(
  name: string,
  options: TaskOptions & { readonly input: InputSchema; readonly output: OutputSchema },
  body: Body<Given<InputSchema>, Taken<OutputSchema>>,
): TaskDefinition<Taken<InputSchema>, Given<OutputSchema>>;
export function task<InputSchema extends Schema, Output>(
  name: string,
  options: TaskOptions & { readonly input: InputSchema; readonly output?: undefined },
  body: Body<Given<InputSchema>, Output>,
): TaskDefinition<Taken<InputSchema>, Output>;
export function task<OutputSchema extends Schema, Input = unknown>(
  name: string,
  options: TaskOptions & { readonly input?: undefined; readonly output: OutputSchema },
  body: Body<Input, Taken<OutputSchema>>,
): TaskDefinition<Input, Given<OutputSchema>>;
export function task<Output, Input = unknown>(
  name: string,
  options: TaskOptions & { readonly input?: undefined; readonly output?: undefined },
  body: Body<Input, Output>,
): TaskDefinition<Input, Output>;
export function task(
  name: string,
  options: TaskOptions & {
    readonly input?: Schema | undefined;
    readonly output?: Schema | undefined;
  },
  body: Body<never, unknown>,
): TaskDefinition<unknown, unknown> {
  if (typeof body !== "function") {
    throw invalid(name, "it has no function; write task(name, options, function)");
  }
  const unreadable = faultOfSchemas(options);
  if (unreadable !== undefined) throw invalid(name, unreadable);
  const served = toServed(name, options);
  const { version } = served;
  const fixed = {
    definition: name,
    ...(version !== undefined && { version }),
    ...(options.labels && { labels: options.labels }),
  };
  const call = (input?: unknown): Call => makeCall(fixed, input);
  const facts = {
    kind: "task",
    served,
    input: options.input,
    output: options.output,
    body,
  } as const;
  // A function's own `name` is not writable, but may be redefined.
  Object.defineProperty(call, "name", { value: name, enumerable: true });
  return Object.freeze(Object.assign(call, facts));
}

function toServed(
  name: string,
  options: TaskOptions & { readonly input?: Schema | undefined },
): ServedDefinition {
  if (!namePattern.test(name)) throw invalid(name, `its name must match ${namePattern}`);
  const { version, retry, timeout, attemptTimeout, input } = options;
  if (version !== undefined && !namePattern.test(version)) {
    throw invalid(name, `its version must match ${namePattern}`);
  }
  const inputSchema = input && toJsonSchema(input);
  return {
    name,
    ...(version !== undefined && { version }),
    ...(retry && { retry: toRetryPolicy(retry) }),
    ...(timeout !== undefined && { timeoutMs: toMs(timeout) }),
    ...(attemptTimeout !== undefined && { attemptTimeoutMs: toMs(attemptTimeout) }),
    ...(inputSchema !== undefined && { inputSchema }),
  };
}

function invalid(name: string, fault: string): KantokuError {
  return new KantokuError(
    "invalid-definition",
    `definition ${JSON.stringify(name).slice(0, limits.nameLengthMax)}: ${fault}`,
  );
}
