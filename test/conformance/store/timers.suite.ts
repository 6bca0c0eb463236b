import { describe, expect, test } from "vitest";
import { faultOf } from "../../support/fault.ts";
import { enlistNode } from "../../support/test-node.ts";
import { event, rowOf, submit, turnOf } from "../../support/turns.ts";
import { idsOf, removeNode, type World } from "./world.ts";

const waiting = { status: "waiting" } as const;

export function describeTimers(world: World): void {
  describe("timers", () => {
    test("takeDue takes what is due, oldest first, with its task", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const now = await store.now();
      const dueAts = [now - 1_000, now - 3_000, now - 2_000, now + 60_000].map(Math.floor);
      const turns = dueAts.map((dueAt) =>
        submit({ state: waiting, timersSet: [{ kind: "due", dueAt }] }),
      );
      await node.commit(...turns);
      const [third, first, second] = turns;
      if (first === undefined || second === undefined || third === undefined) throw new Error();

      const oldest = await store.timers.takeDue(node.id, 2);
      expect(oldest).toEqual([
        {
          timer: { actor: first.id, kind: "due", dueAt: dueAts[1] },
          task: { ...rowOf(first), owner: node.id },
        },
        {
          timer: { actor: second.id, kind: "due", dueAt: dueAts[2] },
          task: { ...rowOf(second), owner: node.id },
        },
      ]);
      const due = await store.timers.takeDue(node.id, 10);
      expect(idsOf(due.map(({ task }) => task))).toEqual(idsOf([first, second, third]));
      expect(await store.tasks.read("default", third.id)).toMatchObject({ owner: node.id });
    });

    test("a timer falls due as the store's time passes", async () => {
      const { store, advance } = world;
      const node = await enlistNode(store);
      const dueAt = Math.ceil(await store.now()) + 20;
      await node.commit(submit({ state: waiting, timersSet: [{ kind: "due", dueAt }] }));
      await advance(30);
      expect(await store.timers.takeDue(node.id, 10)).toHaveLength(1);
    });

    test("leaves the timers of tasks that live nodes own, and takes those of removed ones", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const other = await enlistNode(store);
      const turn = submit({
        state: { ...waiting, owner: other.id },
        timersSet: [{ kind: "due", dueAt: 1 }],
      });
      await other.commit(turn);
      expect(await store.timers.takeDue(node.id, 10)).toEqual([]);
      expect(await store.timers.takeDue(other.id, 10)).toHaveLength(1);
      await removeNode(world, other);
      expect(await store.timers.takeDue(node.id, 10)).toHaveLength(1);
    });

    test("others' timers do not use up the limit", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const other = await enlistNode(store);
      const timersSet = [{ kind: "due", dueAt: 1 }] as const;
      await other.commit(
        submit({ state: { ...waiting, owner: other.id }, timersSet }),
        submit({ state: { ...waiting, owner: other.id }, timersSet }),
      );
      await node.commit(submit({ state: waiting, timersSet: [{ kind: "due", dueAt: 2 }] }));
      expect(await store.timers.takeDue(node.id, 1)).toHaveLength(1);
    });

    test("a turn sets a timer anew and clears it", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit({
        state: { ...waiting, owner: node.id },
        timersSet: [
          { kind: "due", dueAt: 1 },
          { kind: "deadline", dueAt: 2 },
        ],
      });
      await node.commit(turn);
      const first = rowOf(turn);
      const moving = turnOf(first, {
        events: [event(2, "step.recorded")],
        timersSet: [{ kind: "due", dueAt: 3 }],
      });
      await node.commit(moving);
      const timers = (await store.timers.takeDue(node.id, 10)).map(({ timer }) => timer);
      expect(timers).toEqual([
        { actor: turn.id, kind: "deadline", dueAt: 2 },
        { actor: turn.id, kind: "due", dueAt: 3 },
      ]);
      await node.commit(
        turnOf({ ...first, ...moving.state }, { timersCleared: ["due", "deadline"] }),
      );
      expect(await store.timers.takeDue(node.id, 10)).toEqual([]);
      expect(await store.timers.untilNext()).toBeNull();
    });

    test("clearing a timer that is not set is no fault", async () => {
      const node = await enlistNode(world.store);
      const turn = submit({ state: { owner: node.id } });
      await node.commit(turn);
      expect(
        await faultOf(node.commit(turnOf(rowOf(turn), { timersCleared: ["due"] }))),
      ).toBeNull();
    });

    test("a stale turn sets no timer", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const ghost = rowOf(submit({ state: { owner: node.id } }));
      const turn = turnOf(ghost, { timersSet: [{ kind: "due", dueAt: 1 }] });
      expect(await faultOf(node.commit(turn))).toBe("stale");
      expect(await store.timers.untilNext()).toBeNull();
    });

    test("untilNext tells how far the next timer is", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      expect(await store.timers.untilNext()).toBeNull();
      const now = Math.floor(await store.now());
      const far = submit({ state: waiting, timersSet: [{ kind: "due", dueAt: now + 500_000 }] });
      const near = submit({ state: waiting, timersSet: [{ kind: "due", dueAt: now + 60_000 }] });
      await node.commit(far, near);
      const untilNext = await store.timers.untilNext();
      expect(untilNext).toBeLessThanOrEqual(60_000);
      expect(untilNext).toBeGreaterThan(0);
      await node.commit(submit({ state: waiting, timersSet: [{ kind: "due", dueAt: now - 1 }] }));
      expect(await store.timers.untilNext()).toBeLessThanOrEqual(0);
    });
  });
}
