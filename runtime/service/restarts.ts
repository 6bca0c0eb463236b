import { KantokuError } from "../../sdk/errors.ts";
import { limits } from "../../sdk/protocol/limits.ts";
import type { Restarted, RestartOptions } from "../../sdk/protocol/service.ts";
import { isEnded, type TaskRef } from "../../sdk/protocol/task.ts";
import type { Engine } from "../engine/engine.ts";
import { restoreSnapshot } from "../engine/task-actor.ts";
import { findDeciding, findOutdated, type Restarting, restartOf } from "../graph/restart.ts";
import { Tree } from "../graph/tree.ts";
import type { TaskRow } from "../store/rows.ts";
import { busy, invalid, reading } from "./faults.ts";
import { findTask } from "./find-task.ts";
import { NewTrees } from "./new-trees.ts";

const triesMax = 12;
/** Others are at the same tasks: first a tick, in which one commit may end, then the time of several. */
const triesWithoutPause = 3;
const pauseMs = 20;

/** Does again what failed. */
export class Restarts {
  readonly #engine: Engine;
  readonly #newTrees: NewTrees;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#newTrees = new NewTrees(engine);
  }

  /** @throws KantokuError `conflict` when there is nothing to restart, or somebody else was first */
  async restart(
    namespace: string,
    { mode = "inPlace", from, ...ref }: TaskRef & RestartOptions,
  ): Promise<Restarted> {
    if (mode === "newTree") return this.#newTree(namespace, ref, from);
    if (mode !== "inPlace") throw invalid("mode", "must be inPlace or newTree");
    if (from !== undefined) throw invalid("from", "goes with mode newTree only");
    return this.#inPlace(namespace, ref);
  }

  async #inPlace(namespace: string, ref: TaskRef): Promise<Restarted> {
    for (let tries = 0; ; tries += 1) {
      this.#engine.assertUp();
      const found = await findTask(this.#engine, namespace, ref);
      assertFallen(found);
      await this.#assertNotRenewed(found.root);
      const tree = await this.#readTree(found);
      const { id } = found;
      const named = tree.rows.get(id) ?? found;
      assertFallen(named);
      const again = restartOf(tree, named);
      assertNotDoomed(tree, named, again);
      assertNotOutdated(tree, again);
      if (await this.#commit(tree, again)) return { id, restarted: again.length };
      if (tries === triesMax) throw busy("tasks of the tree move all the time; send again", 100);
      await this.#pause(tries);
    }
  }

  async #assertNotRenewed(root: string): Promise<void> {
    const renewed = await reading(() => this.#engine.store.tasks.readRestart(root));
    if (renewed === null) return;
    const message = `root ${root} was done again as ${renewed.id}: restart that one`;
    throw new KantokuError("conflict", message, { data: { task: root, restarted: renewed.id } });
  }

  async #newTree(namespace: string, ref: TaskRef, from: string | undefined): Promise<Restarted> {
    this.#engine.assertUp();
    const found = await findTask(this.#engine, namespace, ref);
    const tree = await this.#readTree(found);
    const root = tree.rows.get(found.root);
    if (root === undefined) throw new KantokuError("not-found", `there is no task ${found.root}`);
    const start = from === undefined ? null : (tree.rows.get(from) ?? null);
    if (from !== undefined && start === null) throw invalid("from", "is no task of this tree");
    return this.#newTrees.grow(tree, root, start);
  }

  async #readTree({ namespace, root }: TaskRow): Promise<Tree> {
    const { tasks, graphs } = this.#engine.store;
    const limit = limits.descendantsMax + 1;
    const [rows, edges] = await reading(() =>
      Promise.all([tasks.list({ namespace, root, order: "ascending", limit }), graphs.edges(root)]),
    );
    return new Tree(rows, edges);
  }

  /** False: something of it has moved since it was read. */
  async #commit(tree: Tree, again: readonly Restarting[]): Promise<boolean> {
    const { life, store } = this.#engine;
    const isBlocked = (row: TaskRow) => restoreSnapshot(row).context.graph.isBlocked;
    if (findDeciding(tree, again, isBlocked) !== null) return false;
    const ids = again.map(({ row }) => row.id);
    const rows = await reading(() => store.tasks.acquire(life.incarnation, ids));
    const actors = new Map(rows.map((row) => [row.id, life.directory.adopt(row)]));
    const mail = again.flatMap(({ row, to }) => {
      const actor = actors.get(row.id);
      const message = { type: "restart", to } as const;
      return actor === undefined ? [] : { actor, seq: row.seq, message };
    });
    if (mail.length < again.length) {
      life.directory.leave([...actors.values()]);
      return false;
    }
    return new Promise((resolve, reject) => {
      life.directory.postTogether(mail, { answer: resolve, fail: reject });
    });
  }

  #pause(tries: number): Promise<void> {
    const { clock } = this.#engine.life;
    return new Promise((resolve) => {
      if (tries < triesWithoutPause) clock.soon(resolve);
      else clock.after(pauseMs, resolve);
    });
  }
}

function assertFallen({ id, status }: TaskRow): void {
  if (status === "quarantined") return;
  const data = { task: id, status };
  if (!isEnded(status)) {
    throw new KantokuError("conflict", `task ${id} has not ended: it is ${status}`, { data });
  }
  if (status !== "succeeded") return;
  const message = `task ${id} succeeded: only a new tree does it again`;
  throw new KantokuError("conflict", message, { data });
}

/** What is under a task that is cancelled, and stays so, would be cancelled before it begins. */
function assertNotDoomed(tree: Tree, named: TaskRow, again: readonly Restarting[]): void {
  const restarted = new Set(again.map(({ row }) => row));
  for (const above of tree.ancestorsOf(named)) {
    const { id, status } = above;
    if (restarted.has(above) || !(status === "cancelling" || status === "cancelled")) continue;
    throw new KantokuError("conflict", `task ${id}, which it is a part of, is ${status}`, {
      data: { task: id, status },
    });
  }
}

function assertNotOutdated(tree: Tree, again: readonly Restarting[]): void {
  const found = findOutdated(tree, again);
  if (found === null) return;
  const { row, dependency } = found;
  const { id } = dependency;
  const message = `task ${row.id} was laid out for what task ${id} came to, which would change: restart in mode newTree, from ${id}`;
  throw new KantokuError("conflict", message, { data: { task: row.id, from: id } });
}
