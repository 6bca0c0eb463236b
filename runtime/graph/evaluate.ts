import type { Condition, Ref, Source } from "../../sdk/protocol/graph.ts";
import { canonicalJson } from "../../sdk/values/canonical.ts";
import { pick, putAll } from "./pointer.ts";
import { needsPreprocessor } from "./vertices.ts";

/** What the sources of a vertex may speak of. */
export interface Scope {
  /** The input of the pipeline, or what every copy of an `each` is given. */
  readonly input: unknown;
  /** Outside an `each` there is none. */
  readonly item?: unknown;
  /** The value that stands for a task's output. */
  valueOf(task: string): unknown;
}

/** Runs a preprocessor on a value. Rejects when its fault is the task's. */
export type Preprocess = (source: string, value: unknown) => Promise<unknown>;

/** Fills refs into an input that need nobody's code. */
export function fillPlain(input: unknown, refs: readonly Ref[], scope: Scope): unknown {
  return putAll(
    input,
    refs.map((ref) => ({ at: ref.at, value: plainValue(ref, scope) })),
  );
}

/** Preprocessors of one input run side by side. */
export async function fill(
  input: unknown,
  refs: readonly Ref[],
  { scope, preprocess }: { scope: Scope; preprocess: Preprocess },
): Promise<unknown> {
  const values = await Promise.all(refs.map((ref) => evaluate(ref, scope, preprocess)));
  return putAll(
    input,
    refs.map(({ at }, index) => ({ at, value: values[index] })),
  );
}

/** Only for conditions that need no preprocessor. */
export function holdsPlain(condition: Condition, scope: Scope): boolean {
  return isMet(condition, plainValue(condition, scope));
}

export async function holds(
  condition: Condition,
  { scope, preprocess }: { scope: Scope; preprocess: Preprocess },
): Promise<boolean> {
  return isMet(condition, await evaluate(condition, scope, preprocess));
}

export function isMet(condition: Condition, value: unknown): boolean {
  if (!("equals" in condition)) return Boolean(value);
  return canonicalJson(value) === canonicalJson(condition.equals);
}

async function evaluate(source: Source, scope: Scope, preprocess: Preprocess): Promise<unknown> {
  if (!needsPreprocessor(source)) return plainValue(source, scope);
  const base = await baseOf(source, scope, preprocess);
  const picked = source.path === undefined ? base : pick(base, source.path);
  return source.preprocessor === undefined ? picked : preprocess(source.preprocessor, picked);
}

async function baseOf(source: Source, scope: Scope, preprocess: Preprocess): Promise<unknown> {
  if ("of" in source) return evaluate(source.of, scope, preprocess);
  if (!("all" in source)) return plainBase(source, scope);
  const values = await Promise.all(
    Object.values(source.all).map((part: Source) => evaluate(part, scope, preprocess)),
  );
  if (Array.isArray(source.all)) return values;
  return Object.fromEntries(Object.keys(source.all).map((name, index) => [name, values[index]]));
}

function plainValue(source: Source, scope: Scope): unknown {
  const base = plainBase(source, scope);
  return source.path === undefined ? base : pick(base, source.path);
}

export function plainBase(source: Source, scope: Scope): unknown {
  if ("task" in source) return scope.valueOf(source.task);
  if ("input" in source) return scope.input;
  if ("item" in source) return scope.item ?? null;
  if ("of" in source) return plainValue(source.of, scope);
  if (Array.isArray(source.all)) return source.all.map((part) => plainValue(part, scope));
  return Object.fromEntries(
    Object.entries(source.all).map(([name, part]) => [name, plainValue(part, scope)]),
  );
}
