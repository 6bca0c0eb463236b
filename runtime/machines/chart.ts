import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from "xstate";

export type Context = Readonly<Record<string, unknown>>;
interface Args {
  readonly context: unknown;
  readonly event: unknown;
}
type Update = (args: Args) => Context;
type Params = ((args: Args) => unknown) | Readonly<Record<string, unknown>> | undefined;

/** What one action does: it changes the context, or asks for something outside. */
export type Deed =
  | { readonly kind: "assign"; readonly update: Update }
  | { readonly kind: "wish"; readonly type: string; readonly params: Params };

/** One way out of a state for one event, with all that is done on it, in order. */
interface Arrow {
  readonly isOpen: ((args: Args) => boolean) | null;
  readonly target: string;
  readonly deeds: readonly Deed[];
}

/** By state, by event: the arrows to try, in this order. */
export type Chart = ReadonlyMap<string, ReadonlyMap<string, readonly Arrow[]>>;

/**
 * An XState machine laid out as a table: XState reads the statechart, and what its algorithm would
 * find out about it at each event (which states are left and entered, whose actions run) is found
 * out once. A fold is so a look-up instead of 8 µs and twenty objects. Only for what our own
 * machines are: flat, without children, delays, eventless transitions; anything else is refused.
 * XState's `transition` is the reference that tests hold this to.
 *
 * @throws Error that names what is not laid out
 */
export function chartOf(machine: AnyStateMachine): Chart {
  const { root } = machine;
  const states = Object.values(root.states);
  for (const state of [root, ...states]) refuseBeyondFlat(state, root);
  return new Map(
    states.map((state) => {
      const events = new Set([...state.transitions.keys(), ...root.transitions.keys()]);
      return [
        state.key,
        new Map(Array.from(events, (event) => [event, arrowsOf(machine, { state, event })])),
      ];
    }),
  );
}

function arrowsOf(
  machine: AnyStateMachine,
  { state, event }: { state: AnyStateNode; event: string },
): Arrow[] {
  // The state's own before those of the whole machine.
  const ways = [state, machine.root].flatMap(({ transitions }) => transitions.get(event) ?? []);
  return ways.map((way) => arrowOf(machine, { state, way }));
}

function arrowOf(
  machine: AnyStateMachine,
  { state, way }: { state: AnyStateNode; way: AnyTransitionDefinition },
): Arrow {
  const target = way.target?.[0] ?? state;
  const leaves = way.target !== undefined && (target !== state || way.reenter);
  const actions = leaves ? [...state.exit, ...way.actions, ...target.entry] : way.actions;
  return {
    isOpen: guardOf(machine, way.guard),
    target: target.key,
    deeds: actions.map((action) => deedOf(machine, action)),
  };
}

function guardOf(
  { implementations }: AnyStateMachine,
  guard: unknown,
): ((args: Args) => boolean) | null {
  if (guard === undefined) return null;
  const found = typeof guard === "string" ? implementations.guards[guard] : guard;
  if (typeof found === "function" && !("check" in found)) {
    return found as (args: Args) => boolean;
  }
  throw beyond(`the guard ${JSON.stringify(guard)}`);
}

function deedOf({ implementations }: AnyStateMachine, action: unknown): Deed {
  const { type, params } = (typeof action === "string" ? { type: action } : action) as {
    type?: string;
    params?: Params;
  };
  const implementation: unknown = implementations.actions[type ?? ""];
  if (type === undefined || typeof implementation !== "function") {
    throw beyond(`the action ${JSON.stringify(action)}`);
  }
  const { type: kind, assignment } = implementation as { type?: string; assignment?: unknown };
  if (kind !== "xstate.assign") return { kind: "wish", type, params };
  if (typeof assignment !== "function" || params !== undefined) {
    throw beyond(`the assignment ${type}`);
  }
  return { kind: "assign", update: assignment as Update };
}

function refuseBeyondFlat(state: AnyStateNode, root: AnyStateNode): void {
  const { config, id, transitions } = state;
  const isFlat = state === root ? state.type === "compound" : state.type === "atomic";
  const rest = ["always", "after", "invoke", "onDone"].filter((name) => name in config);
  // Nobody takes the step into the first state.
  const isFirst = state === root || root.initial.target.includes(state);
  if (isFirst && state.entry.length > 0) rest.push("entry actions at its beginning");
  const wild = [...transitions.keys()].filter((event) => event.includes("*"));
  if (!isFlat || rest.length > 0 || wild.length > 0) {
    throw beyond([isFlat ? "" : state.type, ...rest, ...wild].filter(Boolean).join(", "), id);
  }
  const far = [...transitions.values()].flat().find(({ target }) => (target?.length ?? 0) > 1);
  if (far !== undefined) throw beyond("several targets", id);
}

function beyond(what: string, where = ""): Error {
  return new Error(`a machine is folded without ${what} ${where}`.trim());
}
