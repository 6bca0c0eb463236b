import type { Source } from "../../sdk/protocol/graph.ts";
import { encodePayload } from "../../sdk/values/payload.ts";
import { payloadAllowance } from "./allowance.ts";
import type { Preprocess, Scope } from "./evaluate.ts";
import { fillInTurn, holdsInTurn, type InTurn } from "./evaluate-in-turn.ts";
import { faultOf } from "./faults.ts";
import { judge, type Outcome } from "./outcome.ts";
import { OutputPages, type ReadOutputs } from "./output-pages.ts";
import { type Finished, judgeLast, proceed, type Resolved, unmet, type Whole } from "./resolve.ts";
import { dependenciesOf, nameOf, type Position, tasksOf } from "./vertices.ts";

/** `resolveInput` where the outputs were left out, since together they are too much. */
export async function resolveInTurn(
  { vertex, item }: Position,
  given: {
    readonly template: unknown;
    readonly outcomes: readonly Outcome[];
    readonly scope: Omit<Scope, "valueOf">;
    readonly read: ReadOutputs;
    readonly preprocess: Preprocess;
  },
): Promise<Resolved> {
  const byName = new Map(given.outcomes.map((outcome) => [outcome.name, outcome]));
  const find = (task: string) => byName.get(nameOf(task, item));
  const judgement = judge(
    Array.from(dependenciesOf(vertex), find).filter((it) => it !== undefined),
  );
  if (judgement.kind !== "go") return judgement;

  const { scope, preprocess, template } = given;
  const inTurnFor = (sources: readonly Source[]): InTurn => {
    const order = Array.from(tasksOf(sources), find).filter((it) => it !== undefined);
    const pages = new OutputPages(order, given.read);
    return { scope, preprocess, pages, nameOf: (task) => nameOf(task, item) };
  };
  const { when, refs = [] } = vertex;
  try {
    if (when !== undefined && !(await holdsInTurn(when, inTurnFor([when])))) return unmet;
    return proceed(await fillInTurn(template, refs, inTurnFor(refs)));
  } catch (error) {
    return { kind: "fail", error: faultOf(error) };
  }
}

/** `finish` likewise. */
export async function finishInTurn(
  whole: Whole,
  outcomes: readonly Outcome[],
  read: ReadOutputs,
): Promise<Finished> {
  const judgement = judgeLast(whole, outcomes);
  if (judgement.kind === "fail") return judgement;
  const { kind, graph, copies } = whole;
  const items = kind === "pipeline" ? [null] : Array.from({ length: copies }, (_, item) => item);
  const names = items.map((item) => nameOf(graph.result, item));
  const byName = new Map(outcomes.map((outcome) => [outcome.name, outcome]));
  const order = names.map((name) => byName.get(name)).filter((it) => it !== undefined);
  const pages = new OutputPages(order, read);
  const allowance = payloadAllowance("output");
  try {
    const results: unknown[] = [];
    for (const name of names) {
      const value = await pages.valueOf(name);
      allowance.spend(value);
      results.push(value);
    }
    const output = kind === "pipeline" ? results[0] : results;
    return { kind: "succeed", output: encodePayload(output, { at: "output" }) };
  } catch (error) {
    return { kind: "fail", error: faultOf(error) };
  }
}
