import { expect, test } from "vitest";
import { type AnyStateMachine, assign, setup } from "xstate";
import { chartOf } from "../../runtime/machines/chart.ts";
import { createFold } from "../../runtime/machines/fold.ts";

const beyondFlat = {
  "a state within a state": { initial: "a", states: { a: { initial: "b", states: { b: {} } } } },
  "a final state": { initial: "a", states: { a: { type: "final" } } },
  "a parallel machine": { type: "parallel", states: { a: {}, b: {} } },
  "an eventless transition": { initial: "a", states: { a: { always: "b" }, b: {} } },
  "a delay": { initial: "a", states: { a: { after: { 10: "b" } }, b: {} } },
  "a wildcard": { initial: "a", states: { a: { on: { "*": "b" } }, b: {} } },
  "an entry into the first state": { initial: "a", states: { a: { entry: "tell" } } },
  "an action that is not named": {
    initial: "a",
    states: { a: { on: { go: { actions: [() => {}] } } } },
  },
  "an assignment that is not named": {
    initial: "a",
    states: { a: { on: { go: { actions: [assign({})] } } } },
  },
  "an action that nobody wrote": {
    initial: "a",
    states: { a: { on: { go: { actions: ["nobody"] } } } },
  },
  "a guard that nobody wrote": {
    initial: "a",
    states: { a: { on: { go: { target: "a", guard: "nobody" } } } },
  },
} as const;

test.each(Object.entries(beyondFlat))("%s is refused, not folded wrongly", (_name, config) => {
  const machine = setup({ actions: { tell: () => {} } }).createMachine(config as never);
  expect(() => chartOf(machine as unknown as AnyStateMachine)).toThrow(
    "a machine is folded without",
  );
});

const order = setup({
  types: { context: {} as { seen: string }, events: {} as { type: "go" | "stay" | "again" } },
  actions: {
    noteWay: assign(({ context }) => ({ seen: `${context.seen} way` })),
    noteExit: assign(({ context }) => ({ seen: `${context.seen} exit` })),
    noteEntry: assign(({ context }) => ({ seen: `${context.seen} entry` })),
    tell: (_, _params: { seen: string }) => {},
  },
}).createMachine({
  context: { seen: "" },
  initial: "a",
  states: {
    a: {
      exit: ["noteExit", { type: "tell", params: ({ context }) => context }],
      on: { go: { target: "b", actions: "noteWay" } },
    },
    b: {
      entry: "noteEntry",
      exit: "noteExit",
      on: {
        stay: { target: "b", actions: "noteWay" },
        again: { target: "b", reenter: true, actions: "noteWay" },
      },
    },
  },
});

test("what is left is done before the way, and the way before what is entered", () => {
  const fold = createFold(order);
  const { snapshot, wishes } = fold.next(fold.initial, { type: "go" });
  expect(snapshot).toEqual({ value: "b", context: { seen: " exit way entry" } });
  expect(wishes).toEqual([{ type: "tell", params: { seen: " exit" } }]);
});

test("a state is left for itself only when it says so", () => {
  const fold = createFold(order);
  const b = { value: "b", context: { seen: "" } } as const;
  expect(fold.next(b, { type: "stay" }).snapshot.context.seen).toBe(" way");
  expect(fold.next(b, { type: "again" }).snapshot.context.seen).toBe(" exit way entry");
});

test("a stored state that the machine does not have is not restored", () => {
  expect(() => createFold(order).restore({ value: "c", context: {} })).toThrow('no state "c"');
});
