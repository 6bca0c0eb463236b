import type { AnyStateMachine, EventFromLogic, SnapshotFrom } from "xstate";
import { type Chart, type Context, chartOf, type Deed } from "./chart.ts";

/** What a machine's action asks for: its name and its parameters, nothing that runs. */
export interface Wish {
  readonly type: string;
  readonly params: unknown;
}

/** Where an actor stands. Plain data, never changed. */
export interface Standing<Machine extends AnyStateMachine> {
  readonly value: SnapshotFrom<Machine>["value"];
  readonly context: SnapshotFrom<Machine>["context"];
}

interface Folded<Snapshot> {
  readonly snapshot: Snapshot;
  readonly wishes: readonly Wish[];
}

/** An actor's state as it is stored: enough to go on from, small enough to write at each turn. */
export interface StoredSnapshot {
  readonly value: unknown;
  /** Only what differs from the machine's initial context. */
  readonly context: Context;
}

/**
 * Folds events through an XState machine without ever running it: no clock, no ids, no live
 * actor. With chart.ts the only file that knows how XState is made, so that its next major version
 * has one place to go.
 *
 * F1. An event that the machine does not accept returns the very same snapshot.
 * F2. The machine's own actions are collected, never executed.
 * F3. A fold is a function of snapshot and event, and what XState's own `transition` makes of them.
 */
export interface Fold<Machine extends AnyStateMachine> {
  readonly initial: Standing<Machine>;
  next(snapshot: Standing<Machine>, event: EventFromLogic<Machine>): Folded<Standing<Machine>>;
  restore(stored: StoredSnapshot): Standing<Machine>;
  stored(snapshot: Standing<Machine>): StoredSnapshot;
}

const nothing: readonly Wish[] = [];

export function createFold<Machine extends AnyStateMachine>(machine: Machine): Fold<Machine> {
  type Snapshot = Standing<Machine>;
  const chart: Chart = chartOf(machine);
  const { value, context } = machine.getInitialSnapshot({} as never, undefined) as Snapshot;
  const initial: Snapshot = { value, context };

  return {
    initial,
    next(snapshot, event) {
      const args = { context: snapshot.context, event };
      const arrows = chart.get(snapshot.value as string)?.get(event.type);
      const arrow = arrows?.find(({ isOpen }) => isOpen === null || isOpen(args));
      if (arrow === undefined) return { snapshot, wishes: nothing };
      const { context, wishes } = doAll(arrow.deeds, args);
      return { snapshot: { value: arrow.target, context } as Snapshot, wishes };
    },
    restore(stored) {
      if (chart.has(String(stored.value))) {
        const restored = { ...(initial.context as Context), ...stored.context };
        return { value: stored.value, context: restored } as Snapshot;
      }
      throw new Error(`a machine has no state ${JSON.stringify(stored.value)}`);
    },
    stored(snapshot) {
      return {
        value: snapshot.value,
        context: difference(snapshot.context, initial.context),
      };
    },
  };
}

/** Each deed sees what those before it made of the context. */
function doAll(
  deeds: readonly Deed[],
  { context: before, event }: { context: Context; event: unknown },
): { context: Context; wishes: readonly Wish[] } {
  let context = before;
  let wishes: Wish[] | null = null;
  for (const deed of deeds) {
    const args = { context, event };
    if (deed.kind === "assign") {
      context = { ...context, ...deed.update(args) };
      continue;
    }
    const { type, params } = deed;
    wishes ??= [];
    wishes.push({ type, params: typeof params === "function" ? params(args) : params });
  }
  return { context, wishes: wishes ?? nothing };
}

function difference(context: Context, initial: Context): Record<string, unknown> {
  const changed: Record<string, unknown> = {};
  for (const name in context) {
    if (context[name] !== initial[name]) changed[name] = context[name];
  }
  return changed;
}
