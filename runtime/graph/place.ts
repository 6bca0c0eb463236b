import type { Graph } from "../../sdk/protocol/graph.ts";
import type { TaskIdentity } from "../store/rows.ts";
import type { DependencyRow } from "../store/store.ts";
import type { Scope } from "./evaluate.ts";
import type { Outcome } from "./outcome.ts";
import { policyOf } from "./resolve.ts";
import { type ParsedPlace, type Position, positionOf } from "./vertices.ts";

export function parsePlace({ place }: Pick<TaskIdentity, "place">): ParsedPlace | null {
  if (place === undefined || place.graph === null || place.kind === "value") return null;
  return { kind: place.kind, graph: JSON.parse(place.graph) as Graph };
}

export function outcomesIn(place: ParsedPlace, rows: readonly DependencyRow[]): Outcome[] {
  return rows.map((row) => ({
    ...row,
    onFailure: policyOf(positionOf(row.name, place)?.vertex),
  }));
}

export function hasItems(value: unknown): value is { items: readonly unknown[]; given?: unknown } {
  return (
    typeof value === "object" && value !== null && "items" in value && Array.isArray(value.items)
  );
}

export function itemsOf(value: unknown): readonly unknown[] {
  return hasItems(value) ? value.items : [];
}

export function givenOf(value: unknown): unknown {
  return hasItems(value) ? (value.given ?? null) : null;
}

/** How many times a composite's graph is done for its input. */
export function copiesOf({ kind }: ParsedPlace, input: unknown): number {
  return kind === "each" ? itemsOf(input).length : 1;
}

/** What a child's sources may speak of beside its siblings' outputs. */
export function scopeUnder(
  place: ParsedPlace,
  input: unknown,
  { item }: Position,
): Omit<Scope, "valueOf"> {
  if (place.kind !== "each") return { input };
  return { input: givenOf(input), item: itemsOf(input)[item ?? 0] };
}
