import type { Call } from "../call.ts";
import { KantokuError } from "../errors.ts";
import type { Graph, PipelineBody } from "../protocol/graph.ts";
import { namePattern } from "../protocol/limits.ts";
import { faultOfSchemas, type Schema, type Taken, toJsonSchema } from "../schema.ts";
import { canonicalJson } from "../values/canonical.ts";
import { encodePayload } from "../values/payload.ts";
import { composeWithin } from "./encode.ts";
import { makeCall } from "./made-call.ts";
import { toPending } from "./pending.ts";
import type { PlainInput } from "./plain-input.ts";
import type { Composed, Pending, Reference } from "./reference.ts";
import { type Scope, within } from "./scope.ts";
import { sha256 } from "./sha-256.ts";
import { isCall } from "./traits.ts";
import { faultOfResult, toCall } from "./value.ts";

const bodyBytesMax = 1024 * 1024;
// As much of the hash as the server keeps.
const versionLength = 16;

/** What a client needs of a pipeline, whatever its types. */
export interface AnyPipeline {
  readonly kind: "pipeline";
  readonly name: string;
  /** The hash of the canonical form of its body: two bodies are never the same version. */
  readonly version: string;
  readonly body: PipelineBody;
  /** That of the body. */
  readonly graph: Graph;
  /** Other pipelines in it, each after those that it uses itself. */
  readonly uses: readonly AnyPipeline[];
  readonly input: Schema | undefined;
  /** What its body gives to other pipelines as it stands. */
  readonly gives: readonly PlainInput[];
}

/** A named graph. Applying it to an input makes a call of this very version of it. */
export interface PipelineDefinition<Input, Output> extends AnyPipeline {
  (
    ...args: undefined extends Input ? [input?: Composed<Input>] : [input: Composed<Input>]
  ): Call<Output>;
}

export interface PipelineOptions {
  /** On every task made from a call of this pipeline. */
  readonly labels?: Readonly<Record<string, string>>;
}

/**
 * Defines a pipeline. Its body is called once, here, with an input to come, and gives the call or the
 * value to come that is the pipeline's output. Schemas say what its input and output are, to the compiler and, as JSON
 * Schemas, to whoever asks for the body. An input of which nothing is to come is checked by its schema before a call is
 * sent, and sent as it was given; the tasks in the body check what they take.
 * @throws KantokuError `invalid-definition`
 */
export function pipeline<InputSchema extends Schema, OutputSchema extends Schema>(
  name: string,
  options: PipelineOptions & { readonly input: InputSchema; readonly output: OutputSchema },
  body: (input: Pending<Taken<InputSchema>>) => Reference<Taken<OutputSchema>>,
): PipelineDefinition<Taken<InputSchema>, Taken<OutputSchema>>;
export function pipeline<InputSchema extends Schema, Output>(
  name: string,
  options: PipelineOptions & { readonly input: InputSchema; readonly output?: undefined },
  body: (input: Pending<Taken<InputSchema>>) => Reference<Output>,
): PipelineDefinition<Taken<InputSchema>, Output>;
export function pipeline<OutputSchema extends Schema, Input = unknown>(
  name: string,
  options: PipelineOptions & { readonly input?: undefined; readonly output: OutputSchema },
  body: (input: Pending<Input>) => Reference<Taken<OutputSchema>>,
): PipelineDefinition<Input, Taken<OutputSchema>>;
export function pipeline<Output, Input = unknown>(
  name: string,
  options: PipelineOptions & { readonly input?: undefined; readonly output?: undefined },
  body: (input: Pending<Input>) => Reference<Output>,
): PipelineDefinition<Input, Output>;
export function pipeline(
  name: string,
  options: PipelineOptions & {
    readonly input?: Schema | undefined;
    readonly output?: Schema | undefined;
  },
  body: (input: never) => Reference<unknown>,
): PipelineDefinition<unknown, unknown> {
  const scope: Scope = { given: "input", label: `pipeline ${name}` };
  if (!namePattern.test(name)) throw invalid(scope, `its name must match ${namePattern}`);
  if (typeof body !== "function") {
    throw invalid(scope, "it has no body; write pipeline(name, options, body)");
  }
  const unreadable = faultOfSchemas(options);
  if (unreadable !== undefined) throw invalid(scope, unreadable);
  const result = within(scope, () => toCall(body(toPending({ kind: "given", scope }) as never)));
  if (!isCall(result)) throw invalid(scope, faultOfResult(result));
  const { graph: composed, pipelines, inputs } = composeWithin(result, scope);
  const inputSchema = options.input && toJsonSchema(options.input);
  const outputSchema = options.output && toJsonSchema(options.output);
  const data: PipelineBody = settled(scope, {
    graph: composed,
    ...(inputSchema !== undefined && { inputSchema }),
    ...(outputSchema !== undefined && { outputSchema }),
  });
  const { graph } = data;
  const version = sha256(canonicalJson(data)).slice(0, versionLength);
  const fixed = { definition: name, version, ...(options.labels && { labels: options.labels }) };
  const call = (input?: unknown): Call => makeCall(fixed, input, { pipeline: defined });
  const facts = {
    kind: "pipeline",
    version,
    body: data,
    graph,
    uses: pipelines,
    input: options.input,
    gives: inputs,
  } as const;
  // A function's own `name` is not writable, but may be redefined.
  Object.defineProperty(call, "name", { value: name, enumerable: true });
  const defined = Object.freeze(Object.assign(call, facts));
  return defined;
}

// Once and for all: an input that its author changes later is no longer of this version.
function settled({ label }: Scope, body: PipelineBody): PipelineBody {
  return JSON.parse(encodePayload(body, { at: label, bytesMax: bodyBytesMax }));
}

function invalid({ label }: Scope, fault: string): KantokuError {
  return new KantokuError("invalid-definition", `${label}: ${fault}`);
}
