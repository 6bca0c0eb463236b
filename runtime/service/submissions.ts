import { KantokuError } from "../../sdk/errors.ts";
import type { Graph } from "../../sdk/protocol/graph.ts";
import { anonymousGraph, limits } from "../../sdk/protocol/limits.ts";
import type { GraphSubmit, SubmitParams, Submitted } from "../../sdk/protocol/service.ts";
import { encodePayload } from "../../sdk/values/payload.ts";
import { bytesOfIdentity } from "../engine/bytes.ts";
import type { Engine } from "../engine/engine.ts";
import type { Caller } from "../engine/messages.ts";
import { assertNoAttempts, type Birth, type PipelineVersion } from "../graph/expand.ts";
import type { TaskIdentity, TaskPlace, TaskRow } from "../store/rows.ts";
import { busy, invalid, reading } from "./faults.ts";
import { Gathering, type Pending } from "./gathering.ts";
import { assertGraph } from "./graph-check.ts";
import { assertNotTooDeep, Lineage, type Parentage } from "./lineage.ts";
import { birthOf, birthsIn, type Layout, layOut } from "./root-layout.ts";
import { type Body, hasSameBody } from "./same-body.ts";
import { type CheckedSubmit, checkSubmit } from "./submit-check.ts";

/** Between two looks at a parent whose row was locked: about the time of a commit. */
const parentPauseMs = 5;
const parentTriesMax = 10;

/** Takes submits in: checks, bounds, idempotency keys. One for a node, all namespaces. */
export class Submissions {
  readonly #engine: Engine;
  readonly #lineage: Lineage;
  readonly #gathering: Gathering;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#lineage = new Lineage(engine);
    this.#gathering = new Gathering(engine);
  }

  /** Resolves once the task is durable. */
  async submit(namespace: string, params: SubmitParams | GraphSubmit): Promise<Submitted> {
    if ("graph" in params) return this.#submitGraph(namespace, params);
    const checked = checkSubmit(params);
    const intake: Intake = { namespace, checked, graph: null, child: null };
    const { parent } = params;
    if (parent === undefined && this.#isServed(intake)) return this.#submitTask(intake);
    const child = await this.#childOf(namespace, params);
    const pipeline = await this.#findPipeline(intake);
    if (pipeline === null) return this.#submitTask({ ...intake, child });
    assertNoAttempts({ ...params }, params.definition);
    const { version, graph } = pipeline;
    const isNamed = checked.version === "";
    return this.#submitTask({ ...intake, checked: { ...checked, version }, graph, child, isNamed });
  }

  async #submitGraph(namespace: string, params: GraphSubmit): Promise<Submitted> {
    const { graph: given, ...rest } = params;
    // What is written is what was checked, whatever the caller's objects say when asked again.
    const text = encodePayload(given, { at: "graph", bytesMax: limits.frameToServerBytesMax });
    const graph = JSON.parse(text) as Graph;
    assertGraph(graph, this.#engine.preprocessing);
    const checked = checkSubmit({ ...rest, definition: anonymousGraph });
    const child = await this.#childOf(namespace, params);
    return this.#submitTask({ namespace, checked, graph, child });
  }

  async #childOf(
    namespace: string,
    { parent, idempotencyKey }: Pick<SubmitParams, "parent" | "idempotencyKey">,
  ): Promise<Parentage | null> {
    if (parent === undefined) return null;
    if (idempotencyKey !== undefined) {
      throw invalid("idempotencyKey", "is not for a child: its name is its key");
    }
    return this.#lineage.parentFor(namespace, parent);
  }

  /** Then it is no pipeline's, as the book of pipelines would say a tick later. */
  #isServed({ namespace, checked: { definition } }: Intake): boolean {
    return this.#engine.life.pool.isServedAnyVersion({ namespace, definition });
  }

  #findPipeline({ namespace, checked }: Intake): Promise<PipelineVersion | null> {
    this.#engine.assertUp();
    const { definition, version } = checked;
    const ref = version === "" ? { definition } : { definition, version };
    return reading(() => this.#engine.life.pipelines.find(namespace, ref));
  }

  /** With a graph the task is a pipeline, and what is under it is made along with it. */
  async #submitTask(intake: Intake): Promise<Submitted> {
    // Not as others do, by losing to it: what is there needs no room.
    const known = intake.child?.isAgain ? await this.#readWinner(intake) : null;
    if (known !== null) return found(known);
    for (let tries = 0; ; tries += 1) {
      this.#gathering.assertRoom();
      const identity = this.#identify(intake);
      const { child, graph } = intake;
      if (child !== null && graph !== null) assertNotTooDeep(identity, child.parent);
      const planned = graph === null ? null : await layOut(this.#engine, identity, graph);
      const { startAt } = intake.checked;
      // Laid out once more when its time has come; what is wrong with it is said now.
      const isLater = startAt !== null && startAt > identity.createdAt;
      const layout = planned !== null && isLater ? "later" : planned;
      const make = () => this.#commit(identity, intake.checked, layout);
      const count = 1 + birthsIn(layout).length;
      const submitted = await (child === null
        ? make()
        : this.#lineage.grow(child, { count, make }));
      if (submitted !== null) return submitted;
      const winner = await this.#readWinner(intake);
      if (winner !== null) return found(winner);
      if (child !== null) await this.#lookAgain(child, tries);
      // The winner was deleted by retention between the two looks: the key is free again.
      else if (tries === 3) throw new KantokuError("busy", "the idempotency key is contended");
    }
  }

  /** Nobody has the child's name: its parent has ended, or was about to change in some way. */
  async #lookAgain(child: Parentage, tries: number): Promise<void> {
    await this.#lineage.assertHolds(child);
    if (tries === parentTriesMax) throw busy(`task ${child.parent.id} changes all the time`, 100);
    const { clock } = this.#engine.life;
    await new Promise<void>((resolve) => clock.after(parentPauseMs, resolve));
  }

  #identify({ namespace, checked, graph, child }: Intake): TaskIdentity {
    const id = this.#engine.entropy.id();
    const { definition, key, priority, input, labels, metadata, trace } = checked;
    const isAlone = graph === null && child === null;
    return {
      id,
      namespace,
      definition,
      key,
      priority,
      input,
      labels,
      metadata,
      root: child?.parent.root ?? id,
      parent: child?.parent.id ?? null,
      trace,
      createdAt: this.#engine.life.clock.now(),
      ...(isAlone ? {} : { place: placeOf(graph, child) }),
    };
  }

  /** Null: the key was taken. */
  #commit(
    identity: TaskIdentity,
    checked: CheckedSubmit,
    layout: Layout,
  ): Promise<Submitted | null> {
    const { directory } = this.#engine.life;
    const actor = directory.create(identity);
    const births = birthsIn(layout);
    const tasks = births.length === 0 ? {} : { tasks: idsByName(births) };
    return new Promise((resolve, reject) => {
      const pending: Pending = { fail: reject, bytes: bytesOf(identity, births) };
      this.#gathering.add(pending);
      const caller: Caller<{ created: boolean }> = {
        answer: ({ created }) => {
          this.#gathering.delete(pending);
          resolve(
            created ? { id: identity.id, status: actor.state.status, created, ...tasks } : null,
          );
        },
        fail: (error) => {
          this.#gathering.delete(pending);
          reject(error);
        },
      };
      const { version, startAt, asked } = checked;
      const birth = layout === null ? {} : { birth: birthOf(layout) };
      directory.post(actor, { type: "submit", version, startAt, asked, caller, ...birth });
    });
  }

  /** @throws KantokuError when the task at the key or the place has another body */
  async #readWinner(intake: Intake): Promise<TaskRow | null> {
    const { namespace, checked, child } = intake;
    const { key } = checked;
    const { tasks, graphs } = this.#engine.store;
    if (child !== null) {
      const winner = await reading(() => graphs.child(child.parent.id, child.name));
      if (winner === null || hasSameBody(winner, intake)) return winner;
      throw new KantokuError(
        "mismatch",
        `the child ${child.name} of task ${child.parent.id} was submitted with another body before`,
        { data: { task: winner.id, name: child.name } },
      );
    }
    if (key === null) return null;
    const winner = await reading(() => tasks.readByKey(namespace, key));
    if (winner === null || hasSameBody(winner, intake)) return winner;
    throw new KantokuError(
      "conflict",
      `idempotency key ${JSON.stringify(key)} belongs to task ${winner.id}, which has another body`,
      { data: { task: winner.id, key } },
    );
  }
}

/** What is to become a task. */
interface Intake extends Body {
  readonly namespace: string;
  readonly child: Parentage | null;
}

function placeOf(graph: Graph | null, child: Intake["child"]): TaskPlace {
  return {
    kind: graph === null ? "task" : "pipeline",
    name: child?.name ?? null,
    graph: graph === null ? null : JSON.stringify(graph),
    depth: child === null ? 0 : (child.parent.place?.depth ?? 0) + 1,
    isAwaited: false,
  };
}

function idsByName(births: readonly Birth[]): Record<string, string> {
  return Object.fromEntries(births.map(({ identity }) => [identity.place?.name, identity.id]));
}

function bytesOf(identity: TaskIdentity, births: readonly Birth[]): number {
  const own = bytesOfIdentity(identity) + 1_024;
  return births.reduce((sum, birth) => sum + bytesOfIdentity(birth.identity) + 512, own);
}

function found({ id, status }: TaskRow): Submitted {
  return { id, status, created: false };
}
