import type { Condition, Ref, Source } from "../../sdk/protocol/graph.ts";
import {
  type Allowance,
  mayReplace,
  payloadAllowance,
  preprocessorAllowance,
} from "./allowance.ts";
import { isMet, type Preprocess, plainBase, type Scope } from "./evaluate.ts";
import type { OutputPages } from "./output-pages.ts";
import { pick, putAll } from "./pointer.ts";

export interface InTurn {
  readonly scope: Omit<Scope, "valueOf">;
  readonly pages: OutputPages;
  readonly preprocess: Preprocess;
  /** Of a task of the graph, here: among the copies of an `each`, its own. */
  nameOf(task: string): string;
}

/**
 * What `fill` does, one source after the other: of each output no more is kept than was picked or
 * made of it, and what cannot be an input is given up as soon as that is certain.
 */
export async function fillInTurn(
  input: unknown,
  refs: readonly Ref[],
  given: InTurn,
): Promise<unknown> {
  const values = await allInTurn(refs, given, mayReplace(refs) ? null : payloadAllowance("input"));
  return putAll(
    input,
    refs.map(({ at }, index) => ({ at, value: values[index] })),
  );
}

export async function holdsInTurn(condition: Condition, given: InTurn): Promise<boolean> {
  return isMet(condition, await evaluate(condition, given, null));
}

/** In the order in which their outputs are read. */
async function allInTurn(
  sources: readonly Source[],
  given: InTurn,
  allowance: Allowance | null,
): Promise<unknown[]> {
  const { pages, nameOf } = given;
  const placed = sources.map((source, index) => ({
    source,
    index,
    place: pages.placeOf(source, nameOf),
  }));
  const values: unknown[] = Array(sources.length).fill(null);
  for (const { source, index } of placed.toSorted((a, b) => a.place - b.place)) {
    values[index] = await evaluate(source, given, allowance);
  }
  return values;
}

/** The allowance is of what the value becomes a part of. */
async function evaluate(
  source: Source,
  given: InTurn,
  allowance: Allowance | null,
): Promise<unknown> {
  const { path, preprocessor } = source;
  const isWhole = path === undefined && preprocessor === undefined;
  if (isWhole && ("of" in source || "all" in source)) return base(source, given, allowance);
  const isGiven = path === undefined && preprocessor !== undefined;
  const whole = await base(source, given, isGiven ? preprocessorAllowance() : null);
  const picked = path === undefined ? whole : pick(whole, path);
  const value = preprocessor === undefined ? picked : await given.preprocess(preprocessor, picked);
  allowance?.spend(value);
  return value;
}

async function base(source: Source, given: InTurn, allowance: Allowance | null): Promise<unknown> {
  if ("task" in source) return given.pages.valueOf(given.nameOf(source.task));
  if ("of" in source) return evaluate(source.of, given, allowance);
  if (!("all" in source)) return plainBase(source, { ...given.scope, valueOf: () => null });
  const values = await allInTurn(Object.values(source.all), given, allowance);
  if (Array.isArray(source.all)) return values;
  return Object.fromEntries(Object.keys(source.all).map((name, index) => [name, values[index]]));
}
