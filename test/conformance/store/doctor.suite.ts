import { describe, expect, test } from "vitest";
import type { Turn } from "../../../runtime/store/turns.ts";
import { enlistNode } from "../../support/test-node.ts";
import {
  event,
  newId,
  register,
  rowOf,
  submit,
  submitEnded,
  submitRunning,
  turnOf,
} from "../../support/turns.ts";
import { removeNode, type World } from "./world.ts";

interface Sickness {
  readonly invariant: string;
  readonly name: string;
  /** Turns that break the invariant for exactly one actor. */
  turns(node: string): readonly Turn[];
}

const submitted = event(1, "task.submitted");
const ended = { owner: null, worker: null } as const;

const sicknesses: readonly Sickness[] = [
  {
    invariant: "journal-gapless",
    name: "a journal with a hole",
    turns: () => [submit({ events: [submitted, event(3, "step.recorded")], state: { seq: 3 } })],
  },
  {
    invariant: "journal-gapless",
    name: "a worker's journal with a hole",
    turns: () => [register({ events: [event(2, "worker.registered")], seq: 2 })],
  },
  {
    invariant: "journal-matches-seq",
    name: "a row behind its journal",
    turns: () => [submit({ events: [submitted, event(2, "step.recorded")], state: { seq: 1 } })],
  },
  {
    invariant: "journal-matches-seq",
    name: "a row without a journal",
    turns: () => [submit({ events: [], state: { seq: 1 } })],
  },
  {
    invariant: "journal-matches-seq",
    name: "a worker's row behind its journal",
    turns: () => [
      register({ events: [event(1, "worker.registered"), event(2, "worker.draining")], seq: 1 }),
    ],
  },
  {
    invariant: "ended-is-final",
    name: "an ended task whose journal goes on",
    turns: () => [
      submitEnded({ events: [submitted, event(2, "attempt.failed"), event(3, "task.readied")] }),
    ],
  },
  {
    invariant: "ended-is-final",
    name: "a ready task whose journal has ended",
    turns: () => [submit({ events: [submitted, event(2, "task.timedOut")] })],
  },
  {
    invariant: "ended-is-final",
    name: "an event after the terminal one",
    turns: () => [
      submitEnded({
        events: [
          submitted,
          event(2, "attempt.assigned", { token: "1", worker: newId() }),
          event(3, "attempt.succeeded", { token: "1" }),
          event(4, "step.recorded", { token: "1" }),
        ],
      }),
    ],
  },
  {
    invariant: "ended-is-final",
    name: "a task that lives on after it was cancelled",
    turns: (node) => [
      submit({
        state: { owner: node },
        events: [
          submitted,
          event(2, "attempt.cancelled", { token: "1" }),
          event(3, "task.readied"),
        ],
      }),
    ],
  },
  {
    invariant: "one-outcome-per-attempt",
    name: "an attempt with two outcomes",
    turns: (node) => [
      submit({
        state: { owner: node },
        events: [
          submitted,
          event(2, "attempt.lost", { token: "1", reason: "gone" }),
          event(3, "attempt.failed", { token: "1" }),
        ],
      }),
    ],
  },
  {
    invariant: "running-has-worker",
    name: "a running task that names no worker",
    turns: (node) => [submit({ state: { status: "running", owner: node } })],
  },
  {
    invariant: "running-has-worker",
    name: "a running task on a worker that nobody knows",
    turns: (node) => [submitRunning({ node, worker: newId() })],
  },
  {
    invariant: "timers-have-waiting-task",
    name: "a start timer of a ready task",
    turns: () => [submit({ timersSet: [{ kind: "due", dueAt: 1 }] })],
  },
  {
    invariant: "timers-have-waiting-task",
    name: "a deadline of an ended task",
    turns: () => [submitEnded({ timersSet: [{ kind: "deadline", dueAt: 1 }] })],
  },
  {
    invariant: "waiting-has-waker",
    name: "a waiting task that nothing will wake",
    turns: () => [submit({ state: { status: "waiting" } })],
  },
  {
    invariant: "ended-has-output-or-error",
    name: "a success without an output",
    turns: () => [submitEnded({ state: { output: null } })],
  },
  {
    invariant: "ended-has-output-or-error",
    name: "a failure without an error",
    turns: () => [
      submitEnded({
        state: { ...ended, status: "failed", output: null },
        events: [submitted, event(2, "task.timedOut")],
      }),
    ],
  },
  {
    invariant: "ended-has-end",
    name: "an ended task without an end",
    turns: () => [submitEnded({ state: { endedAt: null } })],
  },
  {
    invariant: "ended-has-end",
    name: "an end of a task that goes on",
    turns: () => [submit({ state: { endedAt: 1 } })],
  },
];

export function describeDoctor(world: World): void {
  describe("doctor", () => {
    test("finds nothing in an empty store", async () => {
      expect(await world.store.doctor()).toEqual([]);
    });

    test("finds nothing where every kind of task lives as it should", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const worker = register({ node: node.id });
      const place = { node: node.id, worker: worker.id };
      const timed = submit({
        state: { status: "waiting" },
        timersSet: [
          { kind: "due", dueAt: 1 },
          { kind: "deadline", dueAt: 2 },
        ],
      });
      const owned = submit({
        state: { owner: node.id },
        timersSet: [{ kind: "deadline", dueAt: 2 }],
      });
      const late = submitEnded({ state: { owner: node.id } });
      const failed = submitEnded({
        state: { ...ended, status: "failed", output: null, error: '{"name":"E","message":"m"}' },
        events: [submitted, event(2, "attempt.failed", { token: "1" })],
      });
      const cancelled = submitEnded({
        state: { status: "cancelled", output: null },
        events: [submitted, event(2, "task.cancelRequested", { reason: "" })],
      });
      const retried = submitRunning(place, {
        events: [
          submitted,
          event(2, "attempt.assigned", { token: "1" }),
          event(3, "attempt.timedOut", { token: "1" }),
          event(4, "task.readied"),
          event(5, "attempt.assigned", { token: "2" }),
        ],
      });
      await node.commit(worker, timed, owned, late, failed, cancelled, retried, submit());
      await node.commit(
        turnOf(rowOf(late), { events: [event(4, "attempt.late", { token: "1" })] }),
      );
      await store.mail.post({ id: newId(), actor: owned.id, message: "{}" });
      expect(await store.doctor()).toEqual([]);
    });

    for (const { invariant, name, turns } of sicknesses) {
      test(`${invariant} finds ${name}`, async () => {
        const node = await enlistNode(world.store);
        const broken = turns(node.id);
        await node.commit(submit(), ...broken);
        const findings = await world.store.doctor();
        expect(findings).toContainEqual({
          invariant,
          count: 1,
          examples: [expect.stringContaining(broken[0]?.id ?? "")],
        });
      });
    }

    test("is not gone on with, between two invariants, once nobody waits for it", async () => {
      let asked = 0;
      const isWanted = () => {
        asked += 1;
        return asked < 3;
      };
      const node = await enlistNode(world.store);
      await node.commit(submit());
      expect(await world.store.doctor(isWanted)).toEqual([]);
      expect(asked).toBe(3);
    });

    test("owner-is-live finds a task whose owner is gone, until it is freed", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      const turn = submit({ state: { owner: node.id } });
      await node.commit(turn);
      expect(await store.doctor()).toEqual([]);
      await removeNode(world, node);
      expect(await store.doctor()).toEqual([
        { invariant: "owner-is-live", count: 1, examples: [expect.stringContaining(turn.id)] },
      ]);
      await store.nodes.free(10);
      expect(await store.doctor()).toEqual([]);
    });

    test("mail-has-actor finds a letter to nobody", async () => {
      const { store } = world;
      const actor = newId();
      await store.mail.post({ id: newId(), actor, message: "{}" });
      expect(await store.doctor()).toEqual([
        { invariant: "mail-has-actor", count: 1, examples: [expect.stringContaining(actor)] },
      ]);
      await store.mail.deleteOrphans();
      expect(await store.doctor()).toEqual([]);
    });

    test("counts all, and shows a few", async () => {
      const { store } = world;
      const node = await enlistNode(store);
      await node.commit(
        ...Array.from({ length: 30 }, () => submitEnded({ state: { output: null } })),
      );
      const [finding, ...others] = await store.doctor();
      expect(others).toEqual([]);
      expect(finding?.count).toBe(30);
      expect(finding?.examples.length).toBeGreaterThan(0);
      expect(finding?.examples.length).toBeLessThanOrEqual(10);
    });
  });
}
