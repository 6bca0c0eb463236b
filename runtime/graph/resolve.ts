import type { Graph, GraphTask } from "../../sdk/protocol/graph.ts";
import type { TaskError } from "../../sdk/protocol/task.ts";
import { encodePayload } from "../../sdk/values/payload.ts";
import type { JsonText } from "../store/rows.ts";
import { fill, fillPlain, holds, holdsPlain, type Preprocess, type Scope } from "./evaluate.ts";
import { faultOf } from "./faults.ts";
import { type Judgement, judge, type Outcome, outputOf } from "./outcome.ts";
import {
  dependenciesOf,
  nameOf,
  needsPreprocessor,
  type Position,
  sinksOf,
  sourcesOf,
  vertexOf,
} from "./vertices.ts";

/** What a task may do whose dependencies have ended. */
export type Resolved =
  | { readonly kind: "go"; readonly input: JsonText; readonly value: unknown }
  | { readonly kind: "skip"; readonly reason: string }
  | { readonly kind: "fail"; readonly error: TaskError };

/** Decides over a blocked task, and makes its input. Rejects when the sandbox or a read failed. */
export async function resolveInput(
  { vertex, item }: Position,
  given: {
    readonly template: unknown;
    readonly outcomes: readonly Outcome[];
    readonly scope: Omit<Scope, "valueOf">;
    /** Of outputs, when others have the same ones. */
    readonly parse?: (text: JsonText) => unknown;
    readonly preprocess: Preprocess;
  },
): Promise<Resolved> {
  const { template, preprocess } = given;
  const { judgement, scope } = look({ vertex, item }, given);
  if (judgement.kind !== "go") return judgement;
  try {
    if (vertex.when !== undefined && !(await holds(vertex.when, { scope, preprocess }))) {
      return unmet;
    }
    return proceed(await fill(template, vertex.refs ?? [], { scope, preprocess }));
  } catch (error) {
    return { kind: "fail", error: faultOf(error) };
  }
}

/** The same where nobody's code has to run; null where some has to. */
export function resolvePlain(
  { vertex, item }: Position,
  given: {
    readonly template: unknown;
    readonly outcomes: readonly Outcome[];
    readonly scope: Omit<Scope, "valueOf">;
  },
): Resolved | null {
  if (sourcesOf(vertex).some(needsPreprocessor)) return null;
  const { judgement, scope } = look({ vertex, item }, given);
  if (judgement.kind !== "go") return judgement;
  if (vertex.when !== undefined && !holdsPlain(vertex.when, scope)) return unmet;
  try {
    return proceed(fillPlain(given.template, vertex.refs ?? [], scope));
  } catch (error) {
    return { kind: "fail", error: faultOf(error) };
  }
}

export const unmet: Resolved = { kind: "skip", reason: "its condition did not hold" };

/** What the ends of its own dependencies mean, and what its sources may speak of. */
function look(
  { vertex, item }: Position,
  given: {
    readonly outcomes: readonly Outcome[];
    readonly scope: Omit<Scope, "valueOf">;
    readonly parse?: (text: JsonText) => unknown;
  },
): { judgement: Judgement; scope: Scope } {
  const byName = new Map(given.outcomes.map((outcome) => [outcome.name, outcome]));
  const find = (name: string) => byName.get(nameOf(name, item));
  const own = Array.from(dependenciesOf(vertex), find).filter((it) => it !== undefined);
  // Thousands of refs may speak of one output: it is parsed once.
  const values = new Map<string, unknown>();
  const scope: Scope = {
    ...given.scope,
    valueOf: (name) => {
      if (values.has(name)) return values.get(name);
      const outcome = find(name);
      const value = outcome === undefined ? null : outputOf(outcome, given.parse);
      values.set(name, value);
      return value;
    },
  };
  return { judgement: judge(own), scope };
}

export function proceed(value: unknown): Resolved {
  return { kind: "go", input: encodePayload(value, { at: "input" }), value };
}

export type Finished =
  | { readonly kind: "succeed"; readonly output: JsonText }
  | { readonly kind: "fail"; readonly error: TaskError };

/** A composite, and how many times its graph was done. */
export interface Whole {
  readonly kind: "pipeline" | "each";
  readonly graph: Graph;
  readonly copies: number;
}

/** Decides over a composite all of whose tasks have ended. */
export function finish({ kind, graph, copies }: Whole, outcomes: readonly Outcome[]): Finished {
  const judgement = judgeLast({ kind, graph }, outcomes);
  if (judgement.kind === "fail") return judgement;
  const byName = new Map(outcomes.map((outcome) => [outcome.name, outcome]));
  const resultOf = (item: number | null) => {
    const outcome = byName.get(nameOf(graph.result, item));
    return outcome === undefined ? null : outputOf(outcome);
  };
  const output =
    kind === "pipeline" ? resultOf(null) : Array.from({ length: copies }, (_, i) => resultOf(i));
  try {
    return { kind: "succeed", output: encodePayload(output, { at: "output" }) };
  } catch (error) {
    return { kind: "fail", error: faultOf(error) };
  }
}

export function judgeLast(
  { kind, graph }: Pick<Whole, "kind" | "graph">,
  outcomes: readonly Outcome[],
): Judgement {
  const sinks = sinksOf(graph);
  // What failed earlier has been judged by those that waited for it.
  const isLast = ({ name }: Outcome) => sinks.has(kind === "each" ? vertexOf(name) : name);
  const last = outcomes.filter(isLast);
  return judge(last.filter(({ status }) => status !== "skipped"));
}

export function policyOf(vertex: GraphTask | undefined): Outcome["onFailure"] {
  return vertex?.onFailure ?? "fail";
}
