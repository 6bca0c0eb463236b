import type { AnyCall } from "../call.ts";
import type { Scope } from "./scope.ts";

/** Where a value to come will come from, before its tasks have names. */
export type Origin =
  | { readonly kind: "call"; readonly call: AnyCall }
  | { readonly kind: "given"; readonly scope: Scope }
  | { readonly kind: "path"; readonly of: Origin; readonly keys: readonly string[] }
  | { readonly kind: "map"; readonly of: Origin; readonly preprocessor: string }
  | { readonly kind: "all"; readonly parts: Parts };

export type Parts = readonly Origin[] | Readonly<Record<string, Origin>>;

/** Asks a value for its origin; shared by all copies of the package. */
export const origin: unique symbol = Symbol.for("kantoku.origin");

/** Undefined for everything that is data. */
export function originOf(value: unknown): Origin | undefined {
  if (value === null || (typeof value !== "object" && typeof value !== "function"))
    return undefined;
  return (value as { readonly [origin]?: Origin })[origin];
}

/** In the words of the author's code, as far as they are known. */
export function describe(from: Origin): string {
  switch (from.kind) {
    case "call":
      return from.call.definition;
    case "given":
      return from.scope.given;
    case "path":
      return [describePicked(from.of), ...from.keys].join(".");
    case "map":
      return `${describe(from.of)}.map(…)`;
    case "all":
      return "all(…)";
  }
}

function describePicked(from: Origin): string {
  return from.kind === "call" ? `${describe(from)}.output` : describe(from);
}

/** The calls and scopes that a value needs. */
export function* rootsOf(from: Origin): Generator<Extract<Origin, { kind: "call" | "given" }>> {
  switch (from.kind) {
    case "call":
    case "given":
      yield from;
      break;
    case "path":
    case "map":
      yield* rootsOf(from.of);
      break;
    case "all":
      for (const part of Object.values(from.parts)) yield* rootsOf(part);
  }
}
