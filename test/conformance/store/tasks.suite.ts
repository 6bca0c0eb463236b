import { describe, expect, test } from "vitest";
import type { TaskQuery } from "../../../runtime/store/store.ts";
import { enlistNode } from "../../support/test-node.ts";
import { builtAt, newId, rowOf, submit, submitEnded } from "../../support/turns.ts";
import { idsOf, sorted, type World } from "./world.ts";

const everything: TaskQuery = { namespace: "default", order: "ascending", limit: 100 };

export function describeTasks(world: World): void {
  describe("reading tasks", () => {
    test("read and readByKey see their namespace only", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit({ key: "k" });
      await node.commit(turn);
      expect(await store.tasks.read("default", turn.id)).toEqual(rowOf(turn));
      expect(await store.tasks.readByKey("default", "k")).toEqual(rowOf(turn));
      expect(await store.tasks.read("other", turn.id)).toBeNull();
      expect(await store.tasks.readByKey("other", "k")).toBeNull();
      expect(await store.tasks.readByKey("default", "unknown")).toBeNull();
      expect(await store.tasks.read("default", newId())).toBeNull();
    });

    test("an id of any shape may be asked for", async () => {
      const { store } = world;
      expect(await store.tasks.read("default", "no-such-shape")).toBeNull();
      expect(await store.tasks.readMany(["", "no-such-shape"])).toEqual([]);
      expect(await store.journal.read("no-such-shape", 0, 1)).toEqual([]);
    });

    test("readMany reads those that exist, in any namespace", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turns = [submit(), submit({ namespace: "other" })];
      await node.commit(...turns);
      const rows = await store.tasks.readMany([...idsOf(turns), newId()]);
      expect(sorted(idsOf(rows))).toEqual(sorted(idsOf(turns)));
      expect(await store.tasks.readMany([])).toEqual([]);
    });

    test("endings tells how tasks ended, and which are quarantined, in any namespace", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const failed = { status: "failed", output: null, error: '{"message":"no"}' } as const;
      const over = [
        submitEnded({ namespace: "other" }),
        submitEnded({ state: failed }),
        submit({ state: { status: "quarantined" } }),
      ];
      const turns = [submit(), submit({ state: { status: "waiting" } }), ...over];
      await node.commit(...turns);
      const endings = await store.tasks.endings([...idsOf(turns), newId(), "no-such-shape"]);
      const told = over.map(({ id, state }) => {
        const { status, output, error } = state;
        return { id, status, output, error };
      });
      expect(new Set(endings)).toEqual(new Set(told));
      expect(await store.tasks.endings([])).toEqual([]);
    });

    test("saveProgress keeps the last value and touches nothing else", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit();
      await node.commit(turn);
      await store.tasks.saveProgress(turn.id, '{"b":1,"a":0.50}');
      await store.tasks.saveProgress(turn.id, '{"b":2,"a":0.50}');
      await store.tasks.saveProgress(newId(), "1");
      expect(await store.tasks.read("default", turn.id)).toEqual({
        ...rowOf(turn),
        progress: '{"b":2,"a":0.50}',
      });
    });
  });

  describe("listing tasks", () => {
    test("pages through all of a namespace in both orders", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turns = Array.from({ length: 5 }, () => submit());
      await node.commit(...turns, submit({ namespace: "other" }));
      const ids = sorted(idsOf(turns));
      for (const order of ["ascending", "descending"] as const) {
        const expected = order === "ascending" ? ids : ids.toReversed();
        const seen: string[] = [];
        for (let beyond: string | undefined; seen.length < 5; beyond = seen.at(-1)) {
          const page = await store.tasks.list({
            namespace: "default",
            order,
            limit: 2,
            ...(beyond === undefined ? {} : { beyond }),
          });
          expect(page.length).toBe(Math.min(2, 5 - seen.length));
          seen.push(...idsOf(page));
        }
        expect(seen).toEqual(expected);
        const beyond = expected.at(-1) ?? "";
        expect(await store.tasks.list({ namespace: "default", order, limit: 2, beyond })).toEqual(
          [],
        );
      }
    });

    test("filters, one by one and together", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const root = submit({ labels: '{"team":"a","tier":"1"}', createdAt: builtAt });
      const child = submit({
        root: root.id,
        parent: root.id,
        definition: "count",
        labels: '{"team":"a"}',
        createdAt: builtAt + 10,
      });
      const ended = submitEnded({ labels: '{"team":"b"}', createdAt: builtAt + 20 });
      await node.commit(root, child, ended);

      const cases: readonly (readonly [Partial<TaskQuery>, readonly { id: string }[]])[] = [
        [{}, [root, child, ended]],
        [{ status: ["ready"] }, [root, child]],
        [{ status: ["succeeded", "failed"] }, [ended]],
        [{ status: [] }, []],
        [{ definition: "count" }, [child]],
        [{ labels: { team: "a" } }, [root, child]],
        [{ labels: { team: "a", tier: "1" } }, [root]],
        [{ labels: { team: "c" } }, []],
        [{ labels: {} }, [root, child, ended]],
        [{ createdAfter: builtAt }, [child, ended]],
        [{ createdBefore: builtAt + 20 }, [root, child]],
        [{ createdAfter: builtAt, createdBefore: builtAt + 20 }, [child]],
        [{ root: root.id }, [root, child]],
        [{ root: "no-such-shape" }, []],
        [{ root: root.id, definition: "resize" }, [root]],
        [{ status: ["ready"], labels: { team: "a" }, beyond: root.id }, [child]],
        [{ namespace: "other" }, []],
        [{ limit: 1 }, [root]],
      ];
      for (const [filter, expected] of cases) {
        const rows = await store.tasks.list({ ...everything, ...filter });
        expect(idsOf(rows), JSON.stringify(filter)).toEqual(idsOf(expected));
      }
    });

    test("listPart ends with the row that comes to the bytes that are enough", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turns = Array.from({ length: 3 }, () => submit({ input: `"${"x".repeat(9_998)}"` }));
      await node.commit(...turns);
      for (const order of ["ascending", "descending"] as const) {
        for (const filter of [{}, { status: ["ready", "waiting"] }] as const) {
          const query = { ...everything, ...filter, order };
          const rows = await store.tasks.list(query);
          expect(rows).toHaveLength(3);
          expect(await store.tasks.listPart(query, 1)).toEqual({
            rows: rows.slice(0, 1),
            isCut: true,
          });
          expect(await store.tasks.listPart(query, 15_000)).toEqual({
            rows: rows.slice(0, 2),
            isCut: true,
          });
          expect(await store.tasks.listPart({ ...query, limit: 2 }, 15_000)).toEqual({
            rows: rows.slice(0, 2),
            isCut: false,
          });
          expect(await store.tasks.listPart(query, 40_000)).toEqual({ rows, isCut: false });
        }
      }
      const nobody = { ...everything, root: "no-such-shape" };
      expect(await store.tasks.listPart(nobody, 1)).toEqual({ rows: [], isCut: false });
    });

    test("lists whole rows", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit();
      await node.commit(turn);
      expect(await store.tasks.list(everything)).toEqual([rowOf(turn)]);
    });
  });

  describe("deleting ended tasks", () => {
    test("deletes what ended before, with everything that belongs to it", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const watcher = await enlistNode(store);
      const old = submitEnded({ key: "k", timersSet: [{ kind: "deadline", dueAt: 1 }] });
      const fresh = submitEnded({ state: { endedAt: builtAt + 1_000 } });
      const alive = submit();
      await node.commit(old, fresh, alive);
      await store.mail.post({ id: newId(), actor: old.id, message: "{}" });
      await store.watches.watch(watcher.id, [old.id]);

      expect(await store.tasks.deleteEnded(builtAt, 10)).toBe(0);
      expect(await store.tasks.deleteEnded(builtAt + 1_000, 10)).toBe(1);

      const left = await store.tasks.list(everything);
      expect(sorted(idsOf(left))).toEqual(sorted(idsOf([fresh, alive])));
      expect(await store.journal.read(old.id, 0, 10)).toEqual([]);
      expect(await store.timers.untilNext()).toBeNull();
      expect(await store.mail.deleteOrphans()).toBe(0);
      expect(await store.watches.watchers([old.id])).toEqual([]);
      expect(await store.tasks.readByKey("default", "k")).toBeNull();
      expect((await node.commit(submit({ key: "k" }))).losers.size).toBe(0);
    });

    test("deletes a root with all that is under it, counting roots", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const root = submitEnded();
      const child = submitEnded({ root: root.id, parent: root.id });
      const grandchild = submitEnded({
        root: root.id,
        parent: child.id,
        state: { endedAt: builtAt + 5_000 },
      });
      await node.commit(root, child, grandchild);
      expect(await store.tasks.deleteEnded(builtAt + 1, 10)).toBe(1);
      expect(await store.tasks.list(everything)).toEqual([]);
      expect(await store.journal.read(grandchild.id, 0, 10)).toEqual([]);
    });

    test("keeps a root while something under it has not ended", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const root = submitEnded();
      const ended = submitEnded({ root: root.id, parent: root.id });
      const alive = submit({ root: root.id, parent: root.id });
      await node.commit(root, ended, alive);
      expect(await store.tasks.deleteEnded(builtAt + 1, 10)).toBe(0);
      expect(await store.tasks.list(everything)).toHaveLength(3);
    });

    test("keeps what ended under a root that has not", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const root = submit();
      await node.commit(root, submitEnded({ root: root.id, parent: root.id }));
      expect(await store.tasks.deleteEnded(builtAt + 1, 10)).toBe(0);
      expect(await store.tasks.list(everything)).toHaveLength(2);
    });

    test("deletes up to its limit at a time", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      await node.commit(submitEnded(), submitEnded(), submitEnded());
      expect(await store.tasks.deleteEnded(builtAt + 1, 2)).toBe(2);
      expect(await store.tasks.deleteEnded(builtAt + 1, 2)).toBe(1);
      expect(await store.tasks.deleteEnded(builtAt + 1, 2)).toBe(0);
    });

    test("roots that are kept do not use up the limit", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const kept = submitEnded();
      await node.commit(kept, submit({ root: kept.id, parent: kept.id }), submitEnded());
      expect(await store.tasks.deleteEnded(builtAt + 1, 1)).toBe(1);
      expect(await store.tasks.list(everything)).toHaveLength(2);
    });
  });
}
