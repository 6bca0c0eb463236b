import type { GraphTask } from "../../sdk/protocol/graph.ts";
import { isEnded } from "../../sdk/protocol/task.ts";
import type { TaskRow } from "../store/rows.ts";
import type { EdgeRow } from "../store/store.ts";
import { parsePlace } from "./place.ts";
import {
  dependenciesOf,
  isPlain,
  nameOf,
  type ParsedPlace,
  type Position,
  positionOf,
} from "./vertices.ts";

/** A root and all that is under it, as it was read. */
export class Tree {
  readonly rows: ReadonlyMap<string, TaskRow>;
  readonly #children: ReadonlyMap<string | null, readonly TaskRow[]>;
  readonly #dependents: ReadonlyMap<string, readonly EdgeRow[]>;
  readonly #dependencies: ReadonlyMap<string, readonly EdgeRow[]>;
  readonly #places = new Map<string, ParsedPlace | null>();
  readonly #names = new Map<string, ReadonlySet<string>>();

  constructor(rows: readonly TaskRow[], edges: readonly EdgeRow[]) {
    this.rows = new Map(rows.map((row) => [row.id, row]));
    this.#children = Map.groupBy(rows, ({ parent }) => parent);
    this.#dependents = Map.groupBy(edges, ({ dependency }) => dependency);
    this.#dependencies = Map.groupBy(edges, ({ dependent }) => dependent);
  }

  childrenOf({ id }: TaskRow): readonly TaskRow[] {
    return this.#children.get(id) ?? [];
  }

  parentOf({ parent }: TaskRow): TaskRow | null {
    return parent === null ? null : (this.rows.get(parent) ?? null);
  }

  /** Those above it, the nearest first. */
  *ancestorsOf(row: TaskRow): Generator<TaskRow> {
    for (let it = this.parentOf(row); it !== null; it = this.parentOf(it)) yield it;
  }

  /** Those that wait for it before they begin; a composite that it is a part of is none of them. */
  dependentsOf({ id, parent }: TaskRow): TaskRow[] {
    const edges = this.#dependents.get(id) ?? [];
    return edges.flatMap(({ dependent }) =>
      dependent === parent ? [] : (this.rows.get(dependent) ?? []),
    );
  }

  /** Those that it waited for before it began. */
  dependenciesOf(row: TaskRow): TaskRow[] {
    return this.awaitedBy(row).filter(({ parent }) => parent !== row.id);
  }

  /** Those whose ends its gate counts: before it began, and of what it is made of. */
  awaitedBy({ id }: TaskRow): TaskRow[] {
    const edges = this.#dependencies.get(id) ?? [];
    return edges.flatMap(({ dependency }) => this.rows.get(dependency) ?? []);
  }

  /** Of these, those that its vertex names; the others only keep an `each` to its limit. */
  namedBy(row: TaskRow): TaskRow[] {
    return this.dependenciesOf(row).filter((dependency) => this.#isNamedBy(row, dependency));
  }

  /** Those that wait for it because they name it. */
  followersOf(row: TaskRow): TaskRow[] {
    return this.dependentsOf(row).filter((dependent) => this.#isNamedBy(dependent, row));
  }

  /** Whether it was blocked when it was made: others came before it, or its input had to be made. */
  wasBornBlocked(row: TaskRow): boolean {
    if (this.dependenciesOf(row).length > 0) return true;
    const vertex = this.vertexOf(row);
    return vertex !== null && !isPlain(vertex);
  }

  /** What its parent's graph says of it; null for one that no graph speaks of. */
  vertexOf(row: TaskRow): GraphTask | null {
    return this.#positionOf(row)?.vertex ?? null;
  }

  #positionOf(row: TaskRow): Position | null {
    const parent = this.parentOf(row);
    const place = parent === null ? null : this.#placeOf(parent);
    return place === null ? null : positionOf(row.place?.name ?? "", place);
  }

  #isNamedBy(dependent: TaskRow, { place }: TaskRow): boolean {
    const names = this.#names.get(dependent.id) ?? namesOf(this.#positionOf(dependent));
    this.#names.set(dependent.id, names);
    return names.has(place?.name ?? "");
  }

  /** Each graph is parsed once. */
  #placeOf(row: TaskRow): ParsedPlace | null {
    const known = this.#places.get(row.id);
    if (known !== undefined) return known;
    const place = parsePlace(row);
    this.#places.set(row.id, place);
    return place;
  }
}

/** What its vertex depends on, by the names of the same copy. */
function namesOf(position: Position | null): ReadonlySet<string> {
  if (position === null) return new Set();
  const { vertex, item } = position;
  return new Set(Array.from(dependenciesOf(vertex), (name) => nameOf(name, item)));
}

export function isComposite({ place }: Pick<TaskRow, "place">): boolean {
  return place !== undefined && place.kind !== "task";
}

export function hasFallen({ status }: Pick<TaskRow, "status">): boolean {
  return isEnded(status) && status !== "succeeded";
}
