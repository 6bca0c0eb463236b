import { KantokuError } from "../../sdk/errors.ts";
import type { Restarted } from "../../sdk/protocol/service.ts";
import { isEnded } from "../../sdk/protocol/task.ts";
import type { Engine } from "../engine/engine.ts";
import type { GraphBirth } from "../engine/messages.ts";
import { type RenewOptions, renewedIdentity, renewedParts } from "../engine/renewed.ts";
import { parsePlace } from "../graph/place.ts";
import { countRenewed, renewalFrom } from "../graph/renewal.ts";
import type { Tree } from "../graph/tree.ts";
import type { Asked, TaskEvent } from "../machines/task.events.ts";
import type { TaskIdentity, TaskRow } from "../store/rows.ts";
import { reading } from "./faults.ts";
import { birthOf, layOut } from "./root-layout.ts";

/** Does a whole tree again, under a root of its own. */
export class NewTrees {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Without `from` nothing is reused. @throws KantokuError `conflict` */
  async grow(tree: Tree, old: TaskRow, from: TaskRow | null): Promise<Restarted> {
    if (!isEnded(old.status)) {
      const { id, status } = old;
      throw new KantokuError("conflict", `root ${id} has not ended: it is ${status}`, {
        data: { task: id, status },
      });
    }
    const { entropy, life } = this.#engine;
    const now = life.clock.now();
    const identity: TaskIdentity = {
      ...renewedIdentity(old, { id: entropy.id(), parent: null }, { now }),
      restart: { of: old.id, root: old.restart?.root ?? old.id },
    };
    const renewal = from === null ? null : renewalFrom(tree, from);
    const mintId = () => entropy.id();
    const birth = await this.#birthOf(
      old,
      identity,
      renewal?.opened.has(old) ? { tree, renewal, mintId, now } : null,
    );
    const isCreated = await this.#commit(old, identity, birth);
    if (!isCreated) await this.#yieldTo(old);
    const restarted = renewal?.opened.has(old)
      ? countRenewed(tree, renewal)
      : 1 + (birth?.children.length ?? 0);
    return { id: identity.id, restarted };
  }

  /** Null: a worker does it. Without options all of it is done again. */
  async #birthOf(
    old: TaskRow,
    identity: TaskIdentity,
    options: RenewOptions | null,
  ): Promise<GraphBirth | null> {
    if (options !== null) return renewedParts(old, identity, options);
    const place = parsePlace(old);
    if (place === null) return null;
    return birthOf(await layOut(this.#engine, identity, place.graph));
  }

  async #commit(old: TaskRow, identity: TaskIdentity, birth: GraphBirth | null): Promise<boolean> {
    const { version, asked } = await this.#asked(old);
    const { directory } = this.#engine.life;
    const actor = directory.create(identity);
    return new Promise((resolve, reject) => {
      const caller = {
        answer: ({ created }: { created: boolean }) => resolve(created),
        fail: reject,
      };
      const rest = birth === null ? {} : { birth };
      directory.post(actor, { type: "submit", version, startAt: null, asked, caller, ...rest });
    });
  }

  /** As it was submitted: what the first assignment made of that is not asked for again. */
  async #asked({ id }: TaskRow): Promise<{ version: string; asked: Asked | null }> {
    const [first] = await reading(() => this.#engine.store.journal.read(id, 0, 1));
    const { version, asked = null } = JSON.parse(first?.data ?? "{}") as Extract<
      TaskEvent,
      { type: "task.submitted" }
    >;
    return { version, asked };
  }

  async #yieldTo({ id }: TaskRow): Promise<never> {
    const winner = await reading(() => this.#engine.store.tasks.readRestart(id));
    const what = winner === null ? "in place and goes on" : `as ${winner.id}`;
    throw new KantokuError("conflict", `root ${id} was restarted ${what}`, {
      data: { task: id, ...(winner === null ? {} : { restarted: winner.id }) },
    });
  }
}
