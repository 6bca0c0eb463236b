import { isEnded } from "../../sdk/protocol/task.ts";
import { isLeftOut } from "../graph/outcome.ts";
import type { ReadOutputs } from "../graph/output-pages.ts";
import { copiesOf, outcomesIn, parsePlace, scopeUnder } from "../graph/place.ts";
import { finish, type Resolved, resolveInput } from "../graph/resolve.ts";
import { finishInTurn, resolveInTurn } from "../graph/resolve-in-turn.ts";
import { type ParsedPlace, type Position, positionOf } from "../graph/vertices.ts";
import type { Log } from "../ports/log.ts";
import type { Preprocessing } from "../ports/preprocessing.ts";
import type { JsonText, TaskIdentity, TaskRow } from "../store/rows.ts";
import { type DependencyRow, isStoreError, type Store } from "../store/store.ts";
import { Layouts, type LayoutsOptions } from "./layouts.ts";
import type { Resolution } from "./messages.ts";
import { Preprocessors } from "./preprocessors.ts";
import type { TaskActor } from "./task-actor.ts";
import { Turnstile } from "./turnstile.ts";

const dependentsAtOnce = 50;
/** Outputs of one reading; and of all that one look at the letters brings. */
const readingBytesMax = 32 * 1024 * 1024;
const gatheredBytesMax = 64 * 1024 * 1024;
/** Each holds two pages of outputs, and what it has made of the others. */
const inTurnMax = 4;

/** A task whose dependencies have ended, and the letter that said so. */
export interface Released {
  readonly letter: string;
  readonly actor: TaskActor;
}

interface JoinsOptions extends LayoutsOptions {
  readonly store: Store;
  readonly log: Log;
  readonly preprocessing: Preprocessing;
  /** Says what came of it to the actor. */
  resolved(released: Released, resolution: Resolution): void;
  /** Gives tasks back whose letters will be read again. */
  release(tasks: readonly string[]): void;
  /** The node is no more, or another one by now: nothing here is its own. */
  isOver(): boolean;
}

/**
 * What happens between the end of the last dependency and the turn of the dependent: outputs are
 * read, conditions looked at, preprocessors run, graphs laid out. Nothing here is kept: the letter
 * lies in the store until the turn that takes the resolution.
 */
export class Joins {
  readonly #options: JoinsOptions;
  readonly #underWay = new Set<string>();
  readonly #failed: Released[] = [];
  readonly #preprocessors: Preprocessors;
  readonly #layouts: Layouts;
  readonly #inTurn = new Turnstile(inTurnMax);

  constructor(options: JoinsOptions) {
    this.#options = options;
    this.#preprocessors = new Preprocessors(options.preprocessing);
    this.#layouts = new Layouts(options);
  }

  /** Letters that are being acted upon: to read them again would hold up those behind them. */
  get inHand(): readonly string[] {
    return [...this.#underWay];
  }

  take(released: readonly Released[]): void {
    const fresh = released.filter(({ letter }) => !this.#underWay.has(letter));
    if (fresh.length === 0) return;
    for (const { letter } of fresh) this.#underWay.add(letter);
    void this.#resolveAll(fresh);
  }

  async #resolveAll(released: readonly Released[]): Promise<void> {
    try {
      const facts = await this.#gather(released);
      await Promise.all(released.map((one) => this.#resolveOne(one, facts)));
    } catch (error) {
      this.#giveBack(released, error);
    }
  }

  async #resolveOne(released: Released, facts: Facts): Promise<void> {
    try {
      this.#told(released, await this.#resolve(released.actor, facts));
    } catch (error) {
      // Of a task that has ended meanwhile nothing is asked any more.
      if (hasEnded(released.actor)) this.#told(released, { kind: "none" });
      else this.#giveBack([released], error);
    }
  }

  #told(released: Released, resolution: Resolution): void {
    this.#underWay.delete(released.letter);
    this.#options.resolved(released, resolution);
  }

  /** What fails in one tick mostly does so for one reason: it is told, and given back, together. */
  #giveBack(released: readonly Released[], error: unknown): void {
    if (this.#failed.length === 0) this.#options.clock.soon(() => this.#giveBackFailed(error));
    this.#failed.push(...released);
  }

  #giveBackFailed(error: unknown): void {
    const failed = this.#failed.splice(0);
    // A stop closes the sandbox under them; whoever takes the tasks over reads their letters.
    if (this.#options.isOver()) return;
    const tasks = failed.map(({ actor }) => actor.identity.id);
    this.#options.log.warn("tasks not resolved; their letters will be read again", {
      tasks: tasks.length,
      example: tasks[0],
      error,
    });
    for (const { letter } of failed) this.#underWay.delete(letter);
    this.#options.release(tasks);
  }

  async #gather(released: readonly Released[]): Promise<Facts> {
    const { tasks } = this.#options.store;
    const identities = released.map(({ actor }) => actor.identity);
    const above = new Set(identities.flatMap(({ parent, root }) => [parent ?? root, root]));
    const [rowsAbove, dependencies] = await Promise.all([
      tasks.readMany([...above]),
      this.#dependenciesOf(identities.map(({ id }) => id)),
    ]);
    const parsed = new Map<JsonText, unknown>();
    const doomed = new Set(rowsAbove.filter(isDoomed).map(({ id }) => id));
    return {
      isBeingCancelled: ({ parent, root }) => doomed.has(parent ?? "") || doomed.has(root),
      parents: new Map(rowsAbove.map((row) => [row.id, parseParent(row)])),
      dependencies: Map.groupBy(dependencies, ({ dependent }) => dependent),
      parse: (text) => {
        if (!parsed.has(text)) parsed.set(text, JSON.parse(text));
        return parsed.get(text);
      },
    };
  }

  /**
   * An output comes once with every task that waited for it: few are read at once, one is kept. And
   * still fewer where the database does not get that far in its time, which it would not next time.
   */
  async #dependenciesOf(dependents: readonly string[]): Promise<readonly DependencyRow[]> {
    const { graphs } = this.#options.store;
    const outputs = new Map<string, JsonText | null>();
    const all: DependencyRow[] = [];
    let left = gatheredBytesMax;
    let atOnce = dependentsAtOnce;
    let at = 0;
    while (at < dependents.length) {
      const some = dependents.slice(at, at + atOnce);
      const reading = graphs.dependenciesOf(some, Math.min(readingBytesMax, left));
      const rows = await reading.catch((error: unknown) => {
        if (some.length > 1 && isStoreError(error, "contended")) return null;
        throw error;
      });
      if (rows === null) {
        atOnce = Math.floor(some.length / 2);
        continue;
      }
      at += some.length;
      for (const row of rows) {
        const output = outputs.get(row.id) ?? row.output;
        if (output !== null && !outputs.has(row.id)) left -= row.outputBytes ?? 0;
        if (output !== null) outputs.set(row.id, output);
        all.push({ ...row, output });
      }
    }
    return all;
  }

  /** For those whose dependencies have more to say than is held at once. */
  async #takeTurn<T>(namespace: string, act: (read: ReadOutputs) => Promise<T>): Promise<T> {
    await this.#inTurn.enter(1, namespace);
    try {
      return await act((tasks) => this.#options.store.graphs.outputsOf(tasks));
    } finally {
      this.#inTurn.leave(1);
    }
  }

  async #resolve(actor: TaskActor, facts: Facts): Promise<Resolution> {
    const { identity, snapshot } = actor;
    const dependencies = facts.dependencies.get(identity.id) ?? [];
    if (!dependencies.every(({ status }) => isEnded(status))) return { kind: "none" };
    if (snapshot.value === "waiting") return this.#begin(actor, facts, dependencies);
    const place = parsePlace(identity);
    if (snapshot.value !== "running" || place === null || place.kind === "task") {
      return { kind: "none" };
    }
    const { kind, graph } = place;
    const copies = copiesOf(place, JSON.parse(identity.input));
    // What it waited for itself, before it began, may be called the same.
    const own = dependencies.filter(({ parent }) => parent === identity.id);
    const whole = { kind, graph, copies };
    const outcomes = outcomesIn(place, own);
    if (!own.some(isLeftOut)) return finish(whole, outcomes);
    return this.#takeTurn(identity.namespace, (read) => finishInTurn(whole, outcomes, read));
  }

  /** A blocked task: may it start, and with what? */
  async #begin(
    actor: TaskActor,
    facts: Facts,
    dependencies: readonly DependencyRow[],
  ): Promise<Resolution> {
    const { identity } = actor;
    if (identity.place?.isAwaited === false) return this.#beginSubmitted(identity);
    const parent = identity.parent === null ? undefined : facts.parents.get(identity.parent);
    const position = parent && positionOf(identity.place?.name ?? "", parent.place);
    if (!parent || !position) throw new Error(`task ${identity.id} has no place under its parent`);
    if (facts.isBeingCancelled(identity))
      return { kind: "cancel", reason: "cancelled with the whole" };
    const { resolved, preprocessed } = await this.#preprocessors.forTask(
      {
        namespace: identity.namespace,
        isWaiting: () => !hasEnded(actor) && !this.#options.isOver(),
      },
      async (preprocessors) => ({
        resolved: await this.#input(identity, position, {
          // Not the row's input: a task that is restarted may have been resolved before.
          template: position.vertex.input ?? null,
          outcomes: outcomesIn(parent.place, dependencies),
          scope: scopeUnder(parent.place, parent.input, position),
          parse: facts.parse,
          preprocess: (source, value) => preprocessors.run(source, value),
        }),
        preprocessed: preprocessors.ran,
      }),
    );
    if (resolved.kind !== "go") return resolved;
    const { input, value } = resolved;
    const { vertex } = position;
    const place = parsePlace(identity);
    const startAt = "definition" in vertex ? (vertex.startAt ?? null) : null;
    const beginning = { kind: "go", input, preprocessed, startAt } as const;
    if (place === null || place.kind === "task") {
      return identity.place?.kind === "value"
        ? { kind: "succeed", output: input, preprocessed }
        : { ...beginning, children: [], dependsOn: [] };
    }
    return this.#layouts.layOut(identity, { vertex, place, value, beginning });
  }

  #input(
    { namespace }: TaskIdentity,
    position: Position,
    given: Parameters<typeof resolveInput>[1],
  ): Promise<Resolved> {
    if (!given.outcomes.some(isLeftOut)) return resolveInput(position, given);
    return this.#takeTurn(namespace, (read) => resolveInTurn(position, { ...given, read }));
  }

  /** The start of a pipeline that stands for itself has come: it was submitted with its input. */
  async #beginSubmitted(identity: TaskIdentity): Promise<Resolution> {
    const place = parsePlace(identity);
    if (place?.kind !== "pipeline") throw new Error(`task ${identity.id} is no pipeline`);
    const { input } = identity;
    const beginning = { kind: "go", input, preprocessed: [], startAt: null } as const;
    const value = JSON.parse(input) as unknown;
    const vertex = { graph: place.graph };
    return this.#layouts.layOut(identity, { vertex, place, value, beginning });
  }
}

interface Facts {
  /** What a letter says is on its way to it already: whichever is read first, it does not begin. */
  isBeingCancelled(identity: TaskIdentity): boolean;
  readonly parents: ReadonlyMap<string, ParsedParent>;
  readonly dependencies: ReadonlyMap<string, readonly DependencyRow[]>;
  /** An output as it is for all tasks that waited for it: none of them changes it. */
  parse(text: JsonText): unknown;
}

function hasEnded({ state }: TaskActor): boolean {
  return isEnded(state.status);
}

function isDoomed({ status }: TaskRow): boolean {
  return status === "cancelling" || status === "cancelled";
}

interface ParsedParent {
  readonly place: ParsedPlace;
  readonly input: unknown;
}

function parseParent(row: TaskRow): ParsedParent {
  const place = parsePlace(row) ?? { kind: "task", graph: { tasks: {}, result: "" } };
  return { place, input: JSON.parse(row.input) as unknown };
}
