import { describe, expect, test } from "vitest";
import type { TaskRow, TaskState } from "../../../runtime/store/rows.ts";
import type { TaskLinks, TaskTurn } from "../../../runtime/store/turns.ts";
import { faultOf } from "../../support/fault.ts";
import { submitRoot, submitRunningMember, submitWaitingMember } from "../../support/graph-turns.ts";
import { enlistNode, type TestNode } from "../../support/test-node.ts";
import { event, newId, rowOf, submitEnded, succeeded, turnOf } from "../../support/turns.ts";
import { idsOf, type World } from "./world.ts";

const failed = { ...succeeded, status: "failed", output: null, error: '{"name":"E"}' } as const;
const open = { owner: null, endedAt: null, output: null, error: null } as const;

interface Move {
  readonly id: string;
  readonly type: string;
  readonly state: Partial<TaskState>;
  readonly links?: TaskLinks;
}

/** The next turn of a task, which is taken for it. */
async function moveOf({ store }: World, node: TestNode, move: Move): Promise<TaskTurn> {
  const { id, type, state, links = {} } = move;
  const [row] = await store.tasks.acquire(node.id, [id]);
  if (row === undefined) throw new Error(`${id} was not to be had`);
  return turnOf(row, { events: [event(row.seq + 1, type)], state, links });
}

function fall(id: string, links: TaskLinks = { hasEnded: true }): Move {
  return { id, type: "task.failed", state: failed, links };
}

function restart(id: string, status: "ready" | "waiting" | "running"): Move {
  const asks = status === "ready" ? {} : { asksGate: true };
  const links = { hasReopened: true, ...asks };
  return { id, type: "task.restarted", state: { ...open, status }, links };
}

async function commit(world: World, node: TestNode, moves: readonly Move[]): Promise<boolean> {
  const turns = await Promise.all(moves.map((move) => moveOf(world, node, move)));
  return (await node.commit(...turns)).hasMail;
}

/** Whom letters tell that they wait for nothing; these letters are consumed. */
async function released({ store }: World, node: TestNode): Promise<string[]> {
  const collected = await store.mail.collect(node.id, 1_000, []);
  for (const { letter, task } of collected) {
    await node.commit(turnOf(task, { events: [], letters: [letter.id], state: { owner: null } }));
  }
  return collected.map(({ task }) => task.id).sort();
}

async function gateFindings({ store }: World): Promise<string[]> {
  const findings = (await store.doctor()).map(({ invariant }) => invariant);
  const about = ["gate-counts-dependencies", "waiting-has-waker", "ended-is-final"];
  return findings.filter((it) => about.includes(it));
}

/** Two arms that failed, what failed because of them, and their root. */
async function brokenJoin(world: World) {
  const node = await enlistNode(world.store);
  const bare = submitRoot();
  const left = submitRunningMember({ root: bare }, node.id);
  const right = submitRunningMember({ root: bare }, node.id);
  const join = submitWaitingMember({ root: bare }, [left, right]);
  await node.commit({ ...bare, links: { dependsOn: [join.id] } }, left, right, join);
  for (const { id } of [left, right, join]) await commit(world, node, [fall(id)]);
  await commit(world, node, [fall(bare.id, {})]);
  await released(world, node);
  expect(await gateFindings(world)).toEqual([]);
  return { node, root: bare.id, left: left.id, right: right.id, join: join.id };
}

export function describeRestart(world: World): void {
  describe("commit of a restart", () => {
    test("counts what goes on again, and tells those who wait for nothing", async () => {
      const { node, root, left, join } = await brokenJoin(world);
      const moves = [restart(left, "ready"), restart(join, "waiting"), restart(root, "running")];
      expect(await commit(world, node, moves)).toBe(false);
      expect(await gateFindings(world)).toEqual([]);
      expect(await released(world, node)).toEqual([]);

      expect(await commit(world, node, [fall(left)])).toBe(true);
      expect(await released(world, node)).toEqual([join]);
      expect(await commit(world, node, [fall(join)])).toBe(true);
      expect(await released(world, node)).toEqual([root]);
      expect(await gateFindings(world)).toEqual([]);
    });

    test("tells a task at once whose dependencies stay as they are", async () => {
      const { node, root, join } = await brokenJoin(world);
      const moves = [restart(join, "waiting"), restart(root, "running")];
      expect(await commit(world, node, moves)).toBe(true);
      expect(await released(world, node)).toEqual([join]);
    });

    test("tells a task without a gate", async () => {
      const node = await enlistNode(world.store);
      const root = submitRoot();
      await node.commit(root);
      await commit(world, node, [fall(root.id, {})]);
      expect(await commit(world, node, [restart(root.id, "running")])).toBe(true);
      expect(await released(world, node)).toEqual([root.id]);
    });

    test("counts it for those, too, that have not ended, and for those that stay ended", async () => {
      const { node, root, left, right, join } = await brokenJoin(world);
      await commit(world, node, [restart(left, "ready")]);
      expect(await gateFindings(world)).toEqual([]);
      await commit(world, node, [restart(right, "ready"), restart(join, "waiting")]);
      expect(await gateFindings(world)).toEqual([]);
      await commit(world, node, [fall(left)]);
      expect(await released(world, node)).toEqual([]);
      await commit(world, node, [fall(right)]);
      expect(await released(world, node)).toEqual([join]);
      await commit(world, node, [fall(join)]);
      expect(await released(world, node)).toEqual([root]);
      expect(await gateFindings(world)).toEqual([]);
    });

    test("is refused as a whole when one of them has moved, and nothing is counted", async () => {
      const { node, root, left, join } = await brokenJoin(world);
      const moves = [restart(left, "ready"), restart(join, "waiting"), restart(root, "running")];
      const turns = await Promise.all(moves.map((move) => moveOf(world, node, move)));
      await commit(world, node, [restart(root, "running")]);
      await released(world, node);
      expect(await faultOf(node.commit(...turns))).toBe("stale");
      const rows = await world.store.tasks.readMany([left, join]);
      expect(rows.map(({ status }) => status)).toEqual(["failed", "failed"]);
      expect(await gateFindings(world)).toEqual([]);
    });

    test("is refused as a whole while a cancel is on its way to one of them", async () => {
      const { store } = world;
      const { node, root, left, join } = await brokenJoin(world);
      const moves = [restart(left, "ready"), restart(join, "waiting"), restart(root, "running")];
      const message = '{"type":"cancel","reason":"enough"}';
      await store.mail.post({ id: newId(), actor: left, message });
      expect(await faultOf(commit(world, node, moves))).toBe("stale");
      const [row] = await store.tasks.readMany([root]);
      expect(row?.status).toBe("failed");
      expect(await gateFindings(world)).toEqual([]);
      expect(await released(world, node)).toEqual([left]);
      await store.mail.post({ id: newId(), actor: left, message: '{"type":"signal"}' });
      await commit(world, node, moves);
      expect(await gateFindings(world)).toEqual([]);
    });

    test("of a task that counted on its beginning in the very batch refuses the batch", async () => {
      const node = await enlistNode(world.store);
      const root = submitRoot();
      const left = submitRunningMember({ root }, node.id);
      const right = submitRunningMember({ root }, node.id);
      const join = submitWaitingMember({ root }, [left, right]);
      await node.commit({ ...root, links: { dependsOn: [join.id] } }, left, right, join);
      await commit(world, node, [fall(left.id)]);
      const foretold = {
        id: join.id,
        type: "task.resolved",
        state: { status: "ready", owner: null },
        links: { isForetold: true },
      } as const;
      const turns = [restart(left.id, "ready"), fall(right.id), foretold];
      expect(await faultOf(commit(world, node, turns))).toBe("stale");
      expect(await gateFindings(world)).toEqual([]);
    });
  });
  describe("commit of a new tree", () => {
    const ended = { state: succeeded };
    const renewalOf = (of: string, root = of) =>
      submitRoot({}, { restart: { of, root }, ...ended });

    test("is stored with what it does again, and found by it", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const [old, lonely] = [submitRoot({}, ended), submitEnded()];
      await node.commit(old, lonely);
      const first = renewalOf(old.id);
      await node.commit(first);
      const second = renewalOf(first.id, old.id);
      const alone = submitEnded({ restart: { of: lonely.id, root: lonely.id } });
      await node.commit(second, alone);
      expect((await store.tasks.readRestart(old.id))?.id).toBe(first.id);
      expect((await store.tasks.readRestart(first.id))?.restart).toEqual(second.identity.restart);
      expect(await store.tasks.readRestart(second.id)).toBeNull();
      expect(await store.tasks.readRestart(lonely.id)).toEqual(rowOf(alone));
      expect(await store.tasks.read("default", old.id)).not.toHaveProperty("restart");
      const query = { namespace: "default", order: "ascending", limit: 10 } as const;
      const chain = await store.tasks.list({ ...query, restartRoot: old.id });
      expect(idsOf(chain)).toEqual([old, first, second].map(({ id }) => id).sort());
      expect(await store.tasks.list({ ...query, restartRoot: "no id" })).toEqual([]);
    });

    test("loses to the one that was first, with all that is under it", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const old = submitRoot({}, ended);
      await node.commit(old);
      const under = (root: { readonly id: string }) => {
        const part = submitWaitingMember({ root }, []);
        const place = { ...placeAt(1), kind: "pipeline", graph: "{}" } as const;
        const opened = { ...part, identity: { ...part.identity, place } };
        const leaf = submitWaitingMember({ root }, []);
        const deep = { ...leaf.identity, parent: part.id, place: placeAt(2) };
        return [{ ...leaf, identity: deep }, opened];
      };
      const [one, other] = [renewalOf(old.id), renewalOf(old.id)];
      const [mine, theirs] = [under(one), under(other)];
      // Parents before their children, as turns come: the store sorts them by itself.
      await node.commit(one, ...mine.toReversed());
      const { losers } = await node.commit(other, ...theirs.toReversed());
      expect([...losers].sort()).toEqual(idsOf([other, ...theirs]).sort());
      expect(await store.graphs.size(one.id)).toBe(2);
      expect(await store.tasks.readMany(idsOf([other, ...theirs]))).toEqual([]);
    });

    test("loses where what it does again has not ended, or is not there", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const old = submitRoot();
      await node.commit(old);
      const renewals = [renewalOf(old.id), renewalOf(newId())];
      const { losers } = await node.commit(...renewals);
      expect([...losers].sort()).toEqual(idsOf(renewals).sort());
      expect(await store.tasks.readRestart(old.id)).toBeNull();
    });

    test("keeps what it does again from going on in place, in its own batch too", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const goesOn = (row: TaskRow) =>
        turnOf(row, {
          events: [event(row.seq + 1, "task.restarted", { to: "ready" })],
          state: { status: "ready", owner: null, output: null, endedAt: null },
        });
      const [old, other] = [submitEnded(), submitEnded()];
      await node.commit(old, other);
      await node.commit(renewalOf(old.id));
      const rows = await store.tasks.acquire(node.id, [old.id, other.id]);
      const byId = new Map(rows.map((row) => [row.id, row]));
      const [first, second] = [byId.get(old.id), byId.get(other.id)];
      expect(await faultOf(node.commit(goesOn(first as TaskRow)))).toBe("stale");
      const both = node.commit(renewalOf(other.id), goesOn(second as TaskRow));
      expect(await faultOf(both)).toBe("stale");
      await node.commit(goesOn(second as TaskRow));
      expect((await store.tasks.read("default", other.id))?.status).toBe("ready");
    });

    test("of which parts are reused opens the gates behind them in the same commit", async () => {
      const node = await enlistNode(world.store);
      const root = submitRoot();
      const reusedState = { ...succeeded, attempt: 0 };
      const reused = {
        ...submitWaitingMember({ root }, [], reusedState),
        events: [event(1, "task.reused", { of: newId() })],
        links: { hasEnded: true },
      };
      const renewed = submitWaitingMember({ root }, [reused]);
      const later = submitWaitingMember({ root }, [reused, renewed]);
      await node.commit({ ...root, links: { dependsOn: [later.id] } }, reused, renewed, later);
      expect(await released(world, node)).toEqual([renewed.id]);
      expect(await gateFindings(world)).toEqual(["waiting-has-waker"]);
    });
  });
}

function placeAt(depth: number) {
  return { kind: "task", name: newId(), graph: null, depth, isAwaited: true } as const;
}
