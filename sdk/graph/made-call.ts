import type { AnyCall, Call, CallData, CallOptions } from "../call.ts";
import { KantokuError } from "../errors.ts";
import type { FailurePolicy } from "../protocol/graph.ts";
import { encodeGraph } from "./encode.ts";
import { type Origin, origin, originOf } from "./origin.ts";
import { reshaped, toPending } from "./pending.ts";
import type { Pending, Reference } from "./reference.ts";
import { currentScope } from "./scope.ts";
import { isCall, type Traits, traits, traitsOf } from "./traits.ts";

/** What all calls of a definition have in common. */
type Fixed = Pick<CallData, "definition" | "version" | "labels">;

/** Most calls are made in a task's hot path and never composed: those have their data only. */
export function makeCall<Output>(fixed: Fixed, input: unknown, own?: Traits): Call<Output> {
  const scope = currentScope();
  const call = new MadeCall(fixed, input);
  if (own !== undefined || scope !== undefined) {
    const value: Traits = scope === undefined ? { ...own } : { ...own, scope };
    Object.defineProperty(call, traits, { value });
  }
  return Object.freeze(call) as unknown as Call<Output>;
}

class MadeCall {
  declare readonly [traits]: Traits | undefined;
  declare readonly definition: string;
  declare readonly version?: string;
  declare readonly labels?: Readonly<Record<string, string>>;
  declare readonly input: unknown;

  constructor({ definition, version, labels }: Fixed, input: unknown) {
    this.definition = definition;
    if (version !== undefined) this.version = version;
    if (labels !== undefined) this.labels = labels;
    this.input = input;
  }

  get [origin](): Origin {
    return { kind: "call", call: this as unknown as AnyCall };
  }

  get output(): Pending<unknown> {
    return toPending(this[origin]);
  }

  map<Result>(reshape: (output: never) => Result): Pending<Result> {
    return reshaped(this[origin], reshape);
  }

  after(...calls: readonly AnyCall[]): Call {
    const stranger = calls.find((call) => !isCall(call));
    if (stranger !== undefined) throw invalid(this, ".after() takes calls");
    return withMore(this, { after: [...(traitsOf(this).after ?? []), ...calls] });
  }

  when(value: Reference<unknown>, is?: { readonly equals: unknown }): Call {
    const from = originOf(value);
    if (from === undefined) throw invalid(this, ".when() takes a value to come");
    if (traitsOf(this).when !== undefined) {
      throw invalid(this, "it has a condition; join the two: all([a, b]).map(([a, b]) => a && b)");
    }
    if (is === undefined) return withMore(this, { when: { from } });
    // JSON drops what is undefined, and without `equals` a condition asks something else.
    return withMore(this, { when: { from, is: { equals: is.equals ?? null } } });
  }

  onFailure(policy: FailurePolicy): Call {
    return withMore(this, { onFailure: policy });
  }

  with(options: CallOptions): Call {
    return withMore(this, { options: { ...traitsOf(this).options, ...options } });
  }

  toJSON(): unknown {
    const graph = encodeGraph(this);
    return graph === null ? { ...this } : { graph };
  }
}

// On the prototype, so that a call without traits is told from data.
Object.defineProperty(MadeCall.prototype, traits, { value: undefined });

function withMore(call: CallData, more: Traits): Call {
  return makeCall(call, call.input, { ...traitsOf(call), ...more });
}

function invalid({ definition }: CallData, fault: string): KantokuError {
  return new KantokuError("invalid-definition", `${definition}: ${fault}`);
}
