import { KantokuError } from "../../sdk/errors.ts";
import { limits } from "../../sdk/protocol/limits.ts";
import type { ChildOf } from "../../sdk/protocol/service.ts";
import type { Engine } from "../engine/engine.ts";
import { readSnapshot, type TaskSnapshot } from "../engine/task-actor.ts";
import { taskOfToken } from "../engine/token.ts";
import { isTooDeep } from "../graph/expand.ts";
import type { TaskIdentity } from "../store/rows.ts";
import { invalid, reading } from "./faults.ts";

const childNamePattern = /^[A-Za-z0-9_.:/#-]{1,240}$/;

/** A running task that is to have a child of this name. */
export interface Parentage {
  readonly parent: TaskIdentity;
  /** Of the attempt that asks. */
  readonly token: string;
  readonly name: string;
  /** An earlier attempt may have made it. */
  readonly isAgain: boolean;
}

/** Running tasks as parents: whether they may have another child. */
export class Lineage {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** @throws KantokuError `task-cancelled` when the attempt is over, `quota-exceeded` when too deep */
  async parentFor(namespace: string, { token, name }: ChildOf): Promise<Parentage> {
    if (typeof name !== "string" || !childNamePattern.test(name)) {
      throw invalid("parent.name", `must match ${childNamePattern.source}`);
    }
    const { parent, attempt } = await this.#holderOf(namespace, token);
    assertNotTooDeep(parent, parent);
    return { parent, token, name, isAgain: attempt > 1 };
  }

  /**
   * Makes a child and what is under it, so many tasks in all, where there is room for them: what
   * does not come to be takes up none. Null: the child is there already.
   *
   * @throws KantokuError `quota-exceeded`
   */
  async grow<Made>(
    { parent, name }: Parentage,
    { count, make }: { count: number; make: () => Promise<Made | null> },
  ): Promise<Made | null> {
    const { life, store } = this.#engine;
    const growth = await reading(() => life.sizes.grow(parent.root, count));
    if (growth === null) {
      if ((await reading(() => store.graphs.child(parent.id, name))) !== null) return null;
      throw tooMany(`a root may have at most ${limits.descendantsMax} tasks under it`, parent);
    }
    let made: Made | null = null;
    try {
      made = await make();
      return made;
    } finally {
      if (made === null) growth.takeBack();
    }
  }

  /** @throws KantokuError `task-cancelled` when the attempt is over by now */
  async assertHolds({ parent, token }: Parentage): Promise<void> {
    await this.#holderOf(parent.namespace, token);
  }

  async #holderOf(
    namespace: string,
    token: string,
  ): Promise<{ parent: TaskIdentity; attempt: number }> {
    const task = taskOfToken(token);
    if (task === null) throw invalid("parent.token", "is not one that was assigned");
    const { life, store } = this.#engine;
    const actor = life.directory.get(task);
    if (actor !== undefined && isRunBy(token, actor.snapshot)) {
      const { identity, snapshot } = actor;
      const { attempt } = snapshot.context;
      if (identity.namespace === namespace) return { parent: identity, attempt };
    }
    const row = await reading(() => store.tasks.read(namespace, task));
    if (row !== null) {
      const snapshot = await reading(() => readSnapshot(row, store.journal));
      if (isRunBy(token, snapshot)) return { parent: row, attempt: snapshot.context.attempt };
    }
    throw new KantokuError("task-cancelled", `the attempt of task ${task} is over`, {
      data: { task, reason: "late" },
    });
  }
}

/** @throws KantokuError `quota-exceeded` when nothing may lie under the task any more */
export function assertNotTooDeep(task: TaskIdentity, parent: TaskIdentity): void {
  if (!isTooDeep(task)) return;
  throw tooMany(`tasks may lie at most ${limits.treeDepthMax} deep`, parent);
}

function isRunBy(token: string, { value, context }: TaskSnapshot): boolean {
  return value === "running" && context.token === token;
}

function tooMany(message: string, { id, root }: TaskIdentity): KantokuError {
  return new KantokuError("quota-exceeded", message, { data: { task: id, root } });
}
