import { isEnded } from "../../sdk/protocol/task.ts";
import type { Outcome } from "../graph/outcome.ts";
import { copiesOf, parsePlace, scopeUnder } from "../graph/place.ts";
import { finish, policyOf, resolvePlain } from "../graph/resolve.ts";
import { type ParsedPlace, positionOf } from "../graph/vertices.ts";
import type { TaskState } from "../store/rows.ts";
import type { BatchInMaking } from "./group-commit.ts";
import type { Resolution } from "./messages.ts";
import type { TaskActor } from "./task-actor.ts";

/** What is remembered of all graphs, at most: beyond it the oldest are forgotten. */
const tasksMax = 20_000;
const outcomeCharsMax = 32 * 1024 * 1024;

/** A task that waits, as its last commit left it. */
interface Waiting {
  readonly actor: TaskActor;
  readonly graph: KnownGraph;
  readonly dependsOn: readonly string[];
}

/** A composite whose tasks this node laid out. */
interface KnownGraph {
  readonly parent: TaskActor;
  readonly place: ParsedPlace;
  readonly input: unknown;
  /** Names by id. */
  readonly tasks: ReadonlyMap<string, string>;
  readonly outcomes: Map<string, Outcome>;
}

/** A task that can begin, or end, in the commit that ends its last dependency. */
interface Foretold {
  readonly actor: TaskActor;
  readonly resolution: Resolution;
}

/** The tasks that a turn made and waits for. */
interface LaidOut {
  readonly parent: TaskActor;
  readonly children: readonly {
    readonly actor: TaskActor;
    readonly dependsOn: readonly string[];
  }[];
  readonly members: readonly string[];
}

/**
 * Graphs that this node laid out, kept in memory so that a dependent starts in the commit that ends
 * its last dependency instead of two round trips after it. A cache and nothing more: what it says
 * is checked by the commit (seq, owner, gate), and where it says nothing, or something wrong, the
 * letter in the store does the same a little later.
 *
 * F1. An end counts once its commit is resolved, or within the very batch that brings it.
 * F2. What takes a preprocessor, or a layout of its own, is left to Joins.
 */
export class Foresight {
  readonly #graphs = new Map<string, KnownGraph>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #graphOf = new Map<string, KnownGraph>();
  readonly #dependents = new Map<string, string[]>();
  readonly #batchEnds = new WeakMap<BatchInMaking, Map<string, Outcome>>();
  #outcomeChars = 0;

  /** Call once the turn that made them is committed. */
  learn({ parent, children, members }: LaidOut): void {
    const place = parsePlace(parent.identity);
    if (place === null || children.length > tasksMax) return;
    const tasks = new Map(
      children.map(({ actor: { identity } }) => [identity.id, identity.place?.name ?? ""]),
    );
    const input = JSON.parse(parent.identity.input) as unknown;
    const graph: KnownGraph = { parent, place, input, tasks, outcomes: new Map() };
    this.#graphs.set(parent.identity.id, graph);
    for (const { actor, dependsOn } of children) {
      this.#graphOf.set(actor.identity.id, graph);
      if (dependsOn.length > 0) this.#await({ actor, graph, dependsOn });
    }
    this.#await({ actor: parent, graph, dependsOn: members });
    this.#forgetBeyondBounds();
  }

  /** The task's turn, about to be put into the batch, ends it: what can follow in the same batch? */
  foretell(task: string, state: TaskState, batch: BatchInMaking): Foretold[] {
    const graph = this.#graphOf.get(task);
    if (graph === undefined) return [];
    const ends = this.#batchEnds.get(batch) ?? new Map<string, Outcome>();
    this.#batchEnds.set(batch, ends);
    ends.set(task, outcomeOf(graph, task, state));
    return (this.#dependents.get(task) ?? []).flatMap((dependent) => {
      const waiting = this.#waiting.get(dependent);
      const resolution = waiting === undefined ? null : resolve(waiting, ends);
      return waiting === undefined || resolution === null
        ? []
        : [{ actor: waiting.actor, resolution }];
    });
  }

  /** A turn was committed: F1. */
  committed(task: string, state: TaskState): void {
    if (isEnded(state.status)) return this.#ended(task, state);
    if (state.status === "cancelling") this.forget(task);
    this.#graphOf.get(task)?.outcomes.delete(task);
    if (state.status !== "waiting") this.#waiting.delete(task);
  }

  /** Somebody else has moved on what was known here. */
  mistook(task: string): void {
    this.#waiting.delete(task);
  }

  forget(parent: string): void {
    const graph = this.#graphs.get(parent);
    if (graph === undefined) return;
    this.#graphs.delete(parent);
    for (const task of [...graph.tasks.keys(), parent]) {
      this.#waiting.delete(task);
      this.#dependents.delete(task);
    }
    for (const task of graph.tasks.keys()) this.#graphOf.delete(task);
    for (const outcome of graph.outcomes.values()) this.#outcomeChars -= charsOf(outcome);
  }

  #ended(task: string, state: TaskState): void {
    this.#waiting.delete(task);
    if (this.#graphs.has(task)) this.forget(task);
    const graph = this.#graphOf.get(task);
    if (graph === undefined) return;
    const outcome = outcomeOf(graph, task, state);
    this.#outcomeChars += charsOf(outcome) - charsOf(graph.outcomes.get(task));
    graph.outcomes.set(task, outcome);
    this.#forgetBeyondBounds();
  }

  #forgetBeyondBounds(): void {
    while (this.#graphOf.size > tasksMax || this.#outcomeChars > outcomeCharsMax) {
      const oldest = this.#graphs.keys().next();
      if (oldest.done) return;
      this.forget(oldest.value);
    }
  }

  #await(waiting: Waiting): void {
    const { id } = waiting.actor.identity;
    this.#waiting.set(id, waiting);
    for (const dependency of waiting.dependsOn) {
      const dependents = this.#dependents.get(dependency) ?? [];
      dependents.push(id);
      this.#dependents.set(dependency, dependents);
    }
  }
}

/** Null: something has not ended yet, or takes more than this to resolve. */
function resolve(
  { actor, graph, dependsOn }: Waiting,
  ends: ReadonlyMap<string, Outcome>,
): Resolution | null {
  const outcomes: Outcome[] = [];
  // From the end: of many dependencies, the last ones are those that have most likely not ended.
  for (let index = dependsOn.length - 1; index >= 0; index -= 1) {
    const id = dependsOn[index] ?? "";
    const outcome = graph.outcomes.get(id) ?? ends.get(id);
    if (outcome === undefined) return null;
    outcomes.push(outcome);
  }
  const { place, input } = graph;
  const { kind } = place;
  if (actor === graph.parent) {
    if (kind === "task" || actor.snapshot.value !== "running") return null;
    const copies = copiesOf(place, input);
    return finish({ kind, graph: place.graph, copies }, outcomes);
  }
  const position = positionOf(actor.identity.place?.name ?? "", place);
  const born = actor.identity.place?.kind;
  if (position === null || (born !== "task" && born !== "value")) return null;
  const { vertex } = position;
  const resolved = resolvePlain(position, {
    template: JSON.parse(actor.identity.input) as unknown,
    outcomes,
    scope: scopeUnder(place, input, position),
  });
  if (resolved?.kind !== "go") return resolved;
  const { input: filled } = resolved;
  if (born === "value") return { kind: "succeed", output: filled };
  const startAt = "definition" in vertex ? (vertex.startAt ?? null) : null;
  return { kind: "go", input: filled, startAt, preprocessed: [], children: [], dependsOn: [] };
}

function outcomeOf({ place, tasks }: KnownGraph, id: string, state: TaskState): Outcome {
  const { status, output, error } = state;
  const name = tasks.get(id) ?? "";
  const onFailure = policyOf(positionOf(name, place)?.vertex);
  return { id, name, status, output, error, onFailure };
}

function charsOf(outcome: Outcome | undefined): number {
  return (outcome?.output?.length ?? 0) + (outcome?.error?.length ?? 0);
}
