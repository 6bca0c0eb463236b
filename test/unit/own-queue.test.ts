import fc from "fast-check";
import { expect, test } from "vitest";
import { OwnQueue } from "../../runtime/engine/own-queue.ts";
import { createTaskActor, type TaskActor } from "../../runtime/engine/task-actor.ts";
import { submit } from "../support/turns.ts";

const heads = ["a", "b"].map((definition) => ({ namespace: "n", definition, version: "" }));

function actorOf(id: number, { priority = 10, input = "1" } = {}): TaskActor {
  return createTaskActor(submit({ id: String(id).padStart(6, "0"), priority, input }).identity);
}

test("gives the first of some heads by priority and age, whatever came and went", () => {
  const operation = fc.record({
    adds: fc.boolean(),
    id: fc.nat(50),
    head: fc.nat(1),
    priority: fc.nat(2),
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
      const queue = new OwnQueue();
      const model = new Map<string, { head: number; actor: TaskActor }>();
      for (const { adds, id, head, priority } of operations) {
        const actor = actorOf(id, { priority });
        const known = model.get(actor.identity.id);
        if (adds && known === undefined) {
          expect(queue.add(heads[head] as (typeof heads)[0], actor)).toBe(true);
          model.set(actor.identity.id, { head, actor });
        } else if (!adds) {
          expect(queue.drop((known?.actor ?? actor).identity)).toBe(known !== undefined);
          model.delete(actor.identity.id);
        }
        expect(queue.size).toBe(model.size);
        for (const some of [heads, heads.slice(0, 1), heads.slice(1)]) {
          const [first] = [...model.values()]
            .filter((it) => some.includes(heads[it.head] as (typeof heads)[0]))
            .sort(
              ({ actor: { identity: a } }, { actor: { identity: b } }) =>
                a.priority - b.priority || (a.id < b.id ? -1 : 1),
            );
          expect(queue.first(some)?.actor).toBe(first?.actor);
        }
      }
    }),
  );
});

test("remembers no more than 20,000 tasks, and 32 MiB of their inputs", () => {
  const [head] = heads as [(typeof heads)[0]];
  const many = new OwnQueue();
  for (let id = 0; id < 20_000; id += 1) expect(many.add(head, actorOf(id))).toBe(true);
  expect(many.add(head, actorOf(20_000))).toBe(false);
  many.drop(actorOf(7).identity);
  expect(many.add(head, actorOf(20_000))).toBe(true);

  const large = new OwnQueue();
  const input = JSON.stringify("x".repeat(1024 * 1024 - 2));
  for (let id = 0; id < 32; id += 1) expect(large.add(head, actorOf(id, { input }))).toBe(true);
  expect(large.add(head, actorOf(32))).toBe(false);
  large.clear();
  expect(large.size).toBe(0);
  expect(large.add(head, actorOf(32, { input }))).toBe(true);
});
