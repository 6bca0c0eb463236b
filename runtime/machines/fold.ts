import type { AnyMachineSnapshot, AnyStateMachine, EventFromLogic, SnapshotFrom } from "xstate";

/** What a machine's action asks for: its name and its parameters, nothing that runs. */
export interface Wish {
  readonly type: string;
  readonly params: unknown;
}

export interface Folded<Snapshot> {
  readonly snapshot: Snapshot;
  readonly wishes: readonly Wish[];
}

/** An actor's state as it is stored: enough to go on from, small enough to write at each turn. */
export interface StoredSnapshot {
  readonly value: unknown;
  /** Only what differs from the machine's initial context. */
  readonly context: Readonly<Record<string, unknown>>;
}

/** First events look alike: most actors of a kind are born by the same one. */
const birthsMax = 1_000;

/**
 * Folds events through an XState machine without ever running it: no clock, no ids, no live
 * actor. The only file that drives xstate, so that its next major version has one place to go.
 *
 * F1. An event that the machine does not accept returns the very same snapshot.
 * F2. The machine's own actions are collected, never executed.
 * F3. A fold is a function of snapshot and event: those of the initial snapshot are remembered.
 */
export interface Fold<Machine extends AnyStateMachine> {
  readonly initial: SnapshotFrom<Machine>;
  next(
    snapshot: SnapshotFrom<Machine>,
    event: EventFromLogic<Machine>,
  ): Folded<SnapshotFrom<Machine>>;
  restore(stored: StoredSnapshot): SnapshotFrom<Machine>;
  stored(snapshot: SnapshotFrom<Machine>): StoredSnapshot;
}

export function createFold<Machine extends AnyStateMachine>(machine: Machine): Fold<Machine> {
  type Snapshot = SnapshotFrom<Machine>;
  let wishes: Wish[] = [];

  // One scope serves every fold (a fresh inert actor each time costs three times as much).
  // Only what a machine without children, delays or emits asks of its surroundings is here.
  const scope = {
    id: "",
    sessionId: "",
    self: {},
    system: { _sendInspectionEvent: ignore },
    logger: ignore,
    defer: ignore,
    emit: ignore,
    stopChild: ignore,
    actionExecutor: (action: { type: string; params: unknown }) => {
      if (!action.type.startsWith("xstate.")) {
        wishes.push({ type: action.type, params: action.params });
      }
    },
  } as unknown as Parameters<Machine["transition"]>[2];

  const initial = machine.getInitialSnapshot(scope, undefined) as Snapshot;
  const births = new Map<string, Folded<Snapshot>>();

  function fold(snapshot: Snapshot, event: EventFromLogic<Machine>): Folded<Snapshot> {
    wishes = [];
    const next = machine.transition(snapshot as AnyMachineSnapshot, event, scope) as Snapshot;
    return { snapshot: next, wishes };
  }

  return {
    initial,
    next(snapshot, event) {
      if (snapshot !== initial) return fold(snapshot, event);
      const key = JSON.stringify(event);
      const known = births.get(key);
      if (known !== undefined) return known;
      const born = fold(snapshot, event);
      if (births.size < birthsMax) births.set(key, born);
      return born;
    },
    restore(stored) {
      const { context } = initial as AnyMachineSnapshot;
      return machine.resolveState({
        value: stored.value as string,
        context: { ...context, ...stored.context } as never,
      }) as Snapshot;
    },
    stored(snapshot) {
      const { value, context } = snapshot as AnyMachineSnapshot;
      return { value, context: difference(context, (initial as AnyMachineSnapshot).context) };
    },
  };
}

function difference(
  context: Readonly<Record<string, unknown>>,
  initial: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const changed: Record<string, unknown> = {};
  for (const name in context) {
    if (context[name] !== initial[name]) changed[name] = context[name];
  }
  return changed;
}

function ignore(): void {}
