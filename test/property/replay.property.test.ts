import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  initialTransition,
  transition,
} from "xstate";
import { createFold, type StoredSnapshot } from "../../runtime/machines/fold.ts";
import type { TaskEvent } from "../../runtime/machines/task.events.ts";
import { taskMachine } from "../../runtime/machines/task.machine.ts";
import { type WorkerEvent, workerMachine } from "../../runtime/machines/worker.machine.ts";

const runs = 1_000;

const instant = fc.integer({ min: 0, max: 20 });
const token = fc.constantFrom("t1", "t2", "t3");
const reason = fc.constantFrom("because", "");
const error = fc.record(
  { name: fc.constant("E"), message: fc.string(), retryable: fc.boolean() },
  { requiredKeys: ["name", "message"] },
);
const asked = fc.record(
  { retry: fc.record({ maxAttempts: fc.nat(4) }), timeoutMs: fc.nat(20) },
  { requiredKeys: [] },
);
const policy = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 4 }),
  backoff: fc.constantFrom("exponential" as const, "fixed" as const),
  minMs: fc.nat(5),
  maxMs: fc.nat(9),
  timeoutMs: fc.option(fc.nat(15)),
  attemptTimeoutMs: fc.option(fc.nat(9)),
});

function of<Type extends string, Data extends object>(type: Type, data: fc.Arbitrary<Data>) {
  return data.map((members) => ({ type, ...members }));
}

const submitted = of(
  "task.submitted",
  fc.record(
    {
      definition: fc.constant("job"),
      version: fc.constantFrom("", "1"),
      priority: fc.integer(),
      dueAt: instant,
      asked,
    },
    { requiredKeys: ["definition", "version", "priority"] },
  ),
);
const assigned = of(
  "attempt.assigned",
  fc.record(
    {
      attempt: fc.integer({ min: 1, max: 9 }),
      token,
      worker: fc.constantFrom("w1", "w2"),
      version: fc.constantFrom("", "1"),
      assignedAt: instant,
      policy,
    },
    { requiredKeys: ["attempt", "token", "worker", "version", "assignedAt"] },
  ),
);
const rest: readonly fc.Arbitrary<TaskEvent>[] = [
  submitted,
  of("task.readied", fc.constant({})),
  of("task.restarted", fc.constant({ to: "ready" as const })),
  of("task.timedOut", fc.constant({})),
  of("task.cancelRequested", fc.record({ reason, graceUntil: instant })),
  of("attempt.succeeded", fc.record({ token })),
  of("attempt.failed", fc.record({ token, error, retryAt: instant })),
  of("attempt.timedOut", fc.record({ token, retryAt: instant })),
  of("attempt.refused", fc.record({ token, reason, retryAt: instant })),
  of("attempt.cancelled", fc.record({ token, forced: fc.boolean() })),
  of("attempt.late", fc.record({ token, outcome: fc.constantFrom("succeeded", "failed") })),
  of(
    "step.recorded",
    fc.record({ token, step: fc.constant("s"), occurrence: fc.nat(3), output: fc.jsonValue() }),
  ),
];
const taskEvent = fc.oneof(
  ...rest.map((arbitrary) => ({ arbitrary, weight: 1 })),
  { arbitrary: assigned, weight: 12 },
  { arbitrary: of("attempt.lost", fc.record({ token, reason, counts: fc.boolean() })), weight: 6 },
);
/** Chance alone hardly ever loses one task often enough to quarantine it. */
const deaths = fc.integer({ min: 0, max: 9 }).map((count): TaskEvent[] =>
  Array.from({ length: count }, (_, index): TaskEvent[] => {
    const attempt = { attempt: index + 1, version: "", assignedAt: index };
    return [
      { type: "attempt.assigned", token: "t1", worker: "w1", ...attempt },
      { type: "attempt.lost", token: "t1", reason: "", counts: true },
    ];
  }).flat(),
);
const taskLife = fc
  .tuple(submitted, fc.oneof(fc.constant([]), deaths), fc.array(taskEvent, { maxLength: 40 }))
  .map(([first, dying, others]) => [first, ...dying, ...others] as TaskEvent[]);

const workerEvent: fc.Arbitrary<WorkerEvent> = fc.oneof(
  of(
    "worker.registered",
    fc.record({
      instance: fc.constantFrom("i1", "i2"),
      slots: fc.integer({ min: 1, max: 3 }),
      node: fc.constant("n"),
    }),
  ),
  of("worker.draining", fc.constant({})),
  of("worker.gone", fc.constant({})),
  of("worker.lost", fc.record({ reason })),
);
const workerLife = fc.array(workerEvent, { maxLength: 20 });

const taskFold = createFold(taskMachine);
const workerFold = createFold(workerMachine);

/** A fold whose machine does not matter, so that both are held to the same. */
interface AnyFold<Event> {
  readonly initial: unknown;
  next(snapshot: unknown, event: Event): { snapshot: unknown; wishes: readonly unknown[] };
  restore(stored: StoredSnapshot): unknown;
  stored(snapshot: unknown): StoredSnapshot;
}

function foldAll<Event>(fold: AnyFold<Event>, from: unknown, events: readonly Event[]) {
  const wishes: unknown[] = [];
  let snapshot = from;
  for (const event of events) {
    const next = fold.next(snapshot, event);
    snapshot = next.snapshot;
    wishes.push(...next.wishes);
  }
  return { stored: fold.stored(snapshot), wishes };
}

function readBack<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value)) as Value;
}

const reference = transition as unknown as (
  machine: AnyStateMachine,
  snapshot: AnyMachineSnapshot,
  event: unknown,
) => [AnyMachineSnapshot, { type: string; params: unknown }[]];

describe.each([
  [
    "task",
    taskFold as unknown as AnyFold<unknown>,
    taskLife as fc.Arbitrary<unknown[]>,
    taskMachine as AnyStateMachine,
  ],
  [
    "worker",
    workerFold as unknown as AnyFold<unknown>,
    workerLife as fc.Arbitrary<unknown[]>,
    workerMachine as AnyStateMachine,
  ],
])("the %s machine", (_name, fold, life, machine) => {
  test("folds to what XState's own transition makes of it, wish by wish", () => {
    fc.assert(
      fc.property(life, (events) => {
        let snapshot = fold.initial;
        let [expected] = initialTransition(machine) as [AnyMachineSnapshot, unknown];
        for (const event of events) {
          const next = fold.next(snapshot, event);
          const [after, actions] = reference(machine, expected, event);
          const { value, context } = after;
          expect(next.snapshot).toEqual({ value, context });
          expect(next.wishes).toEqual(actions.map(({ type, params }) => ({ type, params })));
          snapshot = next.snapshot;
          expected = after;
        }
      }),
      { numRuns: runs },
    );
  });

  test("goes on from its stored snapshot, at any cut, as if nothing had happened", () => {
    fc.assert(
      fc.property(life, fc.nat(), (events, anywhere) => {
        const cut = anywhere % (events.length + 1);
        const whole = foldAll(fold, fold.initial, events);
        const head = foldAll(fold, fold.initial, events.slice(0, cut));
        const restored = fold.restore(readBack(head.stored));
        const tail = foldAll(fold, restored, readBack(events.slice(cut)));
        expect(tail.stored).toEqual(whole.stored);
        expect([...head.wishes, ...tail.wishes]).toEqual(whole.wishes);
        expect(readBack(whole.stored)).toEqual(whole.stored);
      }),
      { numRuns: runs },
    );
  });

  test("returns the very same snapshot, and wishes nothing, for what it does not accept", () => {
    fc.assert(
      fc.property(life, (events) => {
        let snapshot = fold.initial;
        const accepted: unknown[] = [];
        for (const event of events) {
          const next = fold.next(snapshot, event);
          if (next.snapshot === snapshot) expect(next.wishes).toEqual([]);
          else accepted.push(event);
          snapshot = next.snapshot;
        }
        // The journal holds what was accepted, and nothing else is needed.
        expect(foldAll(fold, fold.initial, accepted).stored).toEqual(fold.stored(snapshot));
      }),
      { numRuns: runs },
    );
  });

  test("does not change the snapshot that it was given", () => {
    fc.assert(
      fc.property(life, (events) => {
        let snapshot = fold.initial;
        for (const event of events) {
          const before = JSON.stringify(fold.stored(snapshot));
          const next = fold.next(snapshot, event);
          expect(JSON.stringify(fold.stored(snapshot))).toBe(before);
          snapshot = next.snapshot;
        }
      }),
      { numRuns: runs / 4 },
    );
  });
});

test("a task that has ended stays as it ended, but for a restart: only late attempts are noted", () => {
  const ended = new Set<unknown>(["succeeded", "failed", "cancelled"]);
  const seen = new Set<unknown>();
  fc.assert(
    fc.property(taskLife, (events) => {
      let snapshot = taskFold.initial;
      for (const event of events) {
        const { snapshot: next, wishes } = taskFold.next(snapshot, event);
        seen.add(next.value);
        if (event.type === "task.restarted" && next !== snapshot) {
          expect(["failed", "cancelled", "quarantined"]).toContain(snapshot.value);
          expect(next.value).toBe("ready");
        } else if (ended.has(snapshot.value)) {
          expect(next.value).toBe(snapshot.value);
          expect(wishes).toEqual([]);
          if (next !== snapshot) expect(event.type).toBe("attempt.late");
        }
        snapshot = next;
      }
    }),
    { numRuns: runs, seed: 7 },
  );
  expect([...seen].toSorted()).toEqual([
    "cancelled",
    "cancelling",
    "failed",
    "quarantined",
    "ready",
    "running",
    "succeeded",
    "waiting",
  ]);
});

test("an attempt is held exactly while a task runs or is being cancelled", () => {
  fc.assert(
    fc.property(taskLife, (events) => {
      let snapshot = taskFold.initial;
      for (const event of events) {
        snapshot = taskFold.next(snapshot, event).snapshot;
        const isAlive = snapshot.value === "running" || snapshot.value === "cancelling";
        const { token, worker } = snapshot.context;
        expect([token !== null, worker !== null]).toEqual([isAlive, isAlive]);
      }
    }),
    { numRuns: runs },
  );
});

test("only the attempt that is held has an outcome, and no late one is noted twice in a row", () => {
  fc.assert(
    fc.property(taskLife, (events) => {
      let snapshot = taskFold.initial;
      for (const event of events) {
        const { context } = snapshot;
        const { snapshot: next } = taskFold.next(snapshot, event);
        const isAccepted = next !== snapshot;
        snapshot = next;
        if (!isAccepted || !("token" in event) || event.type === "attempt.assigned") continue;
        if (event.type === "attempt.late") expect(event.token).not.toBe(context.lateToken);
        else expect(event.token).toBe(context.token);
      }
    }),
    { numRuns: runs },
  );
});

test("a task has the timer that wakes it exactly while it waits", () => {
  fc.assert(
    fc.property(taskLife, (events) => {
      let snapshot = taskFold.initial;
      const timers = new Map<unknown, unknown>();
      for (const event of events) {
        const next = taskFold.next(snapshot, event);
        snapshot = next.snapshot;
        for (const { type, params } of next.wishes) {
          const { kind, dueAt, isSet } = params as Record<string, unknown>;
          if (type === "setTimer" && dueAt !== null) timers.set(kind, dueAt);
          if (type === "clearTimer" && isSet) timers.delete(kind);
        }
        const { value, context } = snapshot;
        expect(timers.has("due")).toBe(value === "waiting");
        if (value === "waiting") expect(timers.get("due")).toBe(context.dueAt);
        const isOver = value === "succeeded" || value === "failed" || value === "cancelled";
        if (isOver) expect(timers.size).toBe(0);
      }
    }),
    { numRuns: runs },
  );
});
