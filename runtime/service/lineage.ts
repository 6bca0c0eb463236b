import { KantokuError } from "../../sdk/errors.ts";
import { limits } from "../../sdk/protocol/limits.ts";
import type { ChildOf } from "../../sdk/protocol/service.ts";
import type { Engine } from "../engine/engine.ts";
import { readSnapshot, type TaskSnapshot } from "../engine/task-actor.ts";
import { taskOfToken } from "../engine/token.ts";
import { isTooDeep } from "../graph/expand.ts";
import type { TaskIdentity } from "../store/rows.ts";
import { reading } from "./faults.ts";
import { invalid } from "./submit-check.ts";

const childNamePattern = /^[A-Za-z0-9_.:/#-]{1,240}$/;

/** Running tasks as parents: whether they may have another child. */
export class Lineage {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** @throws KantokuError `task-cancelled` when the attempt is over, `quota-exceeded` */
  async parentFor(namespace: string, { token, name }: ChildOf): Promise<TaskIdentity> {
    if (typeof name !== "string" || !childNamePattern.test(name)) {
      throw invalid("parent.name", `must match ${childNamePattern.source}`);
    }
    const parent = await this.#holderOf(namespace, token);
    if (isTooDeep(parent)) {
      throw tooMany(`tasks may lie at most ${limits.treeDepthMax} deep`, parent);
    }
    await this.#count(parent);
    return parent;
  }

  async #holderOf(namespace: string, token: string): Promise<TaskIdentity> {
    const task = taskOfToken(token);
    if (task === null) throw invalid("parent.token", "is not one that was assigned");
    const { life, store } = this.#engine;
    const actor = life.directory.get(task);
    if (actor !== undefined && isRunBy(token, actor.snapshot)) {
      if (actor.identity.namespace === namespace) return actor.identity;
    }
    const row = await reading(() => store.tasks.read(namespace, task));
    if (row !== null) {
      const snapshot = await reading(() => readSnapshot(row, store.journal));
      if (isRunBy(token, snapshot)) return row;
    }
    throw new KantokuError("task-cancelled", `the attempt of task ${task} is over`, {
      data: { task, reason: "late" },
    });
  }

  async #count(parent: TaskIdentity): Promise<void> {
    const { sizes } = this.#engine.life;
    if (await reading(() => sizes.mayGrow(parent.root, 1))) return;
    throw tooMany(`a root may have at most ${limits.descendantsMax} tasks under it`, parent);
  }
}

function isRunBy(token: string, { value, context }: TaskSnapshot): boolean {
  return value === "running" && context.token === token;
}

function tooMany(message: string, { id, root }: TaskIdentity): KantokuError {
  return new KantokuError("quota-exceeded", message, { data: { task: id, root } });
}
