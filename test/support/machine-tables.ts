import type { AnyStateMachine, AnyTransitionDefinition } from "xstate";
import { maxLost } from "../../runtime/machines/task.context.ts";
import { taskMachine } from "../../runtime/machines/task.machine.ts";
import { workerMachine } from "../../runtime/machines/worker.machine.ts";
import { tableOf } from "./markdown-table.ts";

/** What the guards ask, for readers; a guard without a line here fails the page. */
const questions: Readonly<Record<string, string>> = {
  isBlocked: "it waits for other tasks, or for its input",
  isComposite: "other tasks do it",
  hasBegun: "it had an attempt",
  isBlockedComposite: "other tasks do it, and it waits for others before them",
  hasDependencies: "it waits for other tasks, or for its input",
  isOfTasks: "other tasks do it",
  isResolvedForLater: "it waits for others, and its start lies in the future even so",
  startsLater: "its start lies in the future",
  isRestartedBlocked: "it waits for others, or for its input",
  isRestartedWhole: "other tasks do it, and they go on",
  isRestartedForLater: "it never began, and its start lies in the future still",
  isHeld: "it is about the running attempt",
  isHeldAndMayRetry:
    "it is about the running attempt, the error does not forbid a retry, attempts are left, and the next one can begin before the deadline",
  isHeldAndPoison: `it is about the running attempt, it counts, and it is loss number ${maxLost} of the task since it became suspect`,
  isUnnotedLate: "this attempt has not been noted as late yet",
  isOtherInstance: "another process comes under the name",
};

/** The two machines as a page: generated, so that it says what the code does. */
export function machinesPage(): string {
  return [
    "# The machines",
    "Generated from `runtime/machines/`; `test/unit/architecture-doc.test.ts` fails when this page and the machines differ, and `vitest run test/unit/architecture-doc.test.ts -u` writes it anew. What the words mean is in [ARCHITECTURE.md](ARCHITECTURE.md).",
    "In the matrices a column is a state, a row is an event, and a cell is the state after it: several where a guard decides, `stays` where only something is noted, empty where the machine does not accept the event: then nothing is recorded and nobody's state changes. The lists below them say which guard leads where, and what is wished for beside the new state. Of several lines for one state and event the first whose guard holds is taken.",
    ...sectionOf("The task machine", taskMachine),
    ...sectionOf("The worker machine", workerMachine),
  ]
    .join("\n\n")
    .concat("\n");
}

/** Where the whole machine takes an event, whatever its state. */
const anyState = "any";

interface Arrow {
  readonly state: string;
  readonly event: string;
  readonly guard: string | null;
  /** Null: the state stays. */
  readonly next: string | null;
  readonly wishes: readonly string[];
}

/** State × event → next state, as docs/ARCHITECTURE.md shows it. */
export function machineMatrices(): { readonly task: string; readonly worker: string } {
  return { task: matrixOf(taskMachine), worker: matrixOf(workerMachine) };
}

function sectionOf(title: string, machine: AnyStateMachine): string[] {
  const list = listOf(arrowsOf(machine));
  return [`## ${title}`, matrixOf(machine), list, ...borderWishesOf(machine)];
}

function arrowsOf({ root }: AnyStateMachine): Arrow[] {
  return [
    ...Object.values(root.states).flatMap((state) => arrowsFrom(state.key, state)),
    ...arrowsFrom(anyState, root),
  ];
}

function arrowsFrom(state: string, { transitions }: AnyStateMachine["root"]): Arrow[] {
  return [...transitions].flatMap(([event, candidates]) =>
    candidates.map((transition) => arrowOf({ state, event, transition })),
  );
}

function arrowOf(from: {
  state: string;
  event: string;
  transition: AnyTransitionDefinition;
}): Arrow {
  const { state, event, transition } = from;
  const target = transition.target?.[0]?.key ?? null;
  return {
    state,
    event,
    guard: typeof transition.guard === "string" ? transition.guard : null,
    next: target,
    wishes: wishesIn(transition.actions),
  };
}

/** Actions with parameters are wishes; those without note something in the context. */
function wishesIn(actions: readonly unknown[]): string[] {
  return actions.flatMap((action) => {
    if (typeof action !== "object" || action === null || !("params" in action)) return [];
    const { type, params } = action as { type: string; params: unknown };
    const blank = { context: {}, event: {} };
    const { kind } = (typeof params === "function" ? params(blank) : params) as { kind?: string };
    return [kind === undefined ? type : `${type}(${kind})`];
  });
}

function matrixOf(machine: AnyStateMachine): string {
  const states = Object.keys(machine.root.states);
  const arrows = arrowsOf(machine);
  const events = [...new Set(arrows.map(({ event }) => event))];
  const cellOf = (event: string, state: string): string => {
    const found = arrows.filter(
      (arrow) => arrow.event === event && [state, anyState].includes(arrow.state),
    );
    return [...new Set(found.map(({ next }) => next ?? "stays"))].join(", ");
  };
  return tableOf(
    ["event ↓ in state →", ...states],
    events.map((event) => [code(event), ...states.map((state) => cellOf(event, state))]),
  );
}

function listOf(arrows: readonly Arrow[]): string {
  return tableOf(
    ["state", "event", "when", "next", "wishes"],
    arrows.map(({ state, event, guard, next, wishes }) => [
      state,
      code(event),
      guard === null ? "" : questionOf(guard),
      next ?? "stays",
      wishes.map(code).join(", "),
    ]),
  );
}

function borderWishesOf(machine: AnyStateMachine): string[] {
  const rows = Object.entries(machine.root.states).flatMap(([state, { entry, exit }]) => [
    ...wishesIn(entry).map((wish) => [state, "entered", code(wish)]),
    ...wishesIn(exit).map((wish) => [state, "left", code(wish)]),
  ]);
  return rows.length === 0 ? [] : [tableOf(["state", "when it is", "wish"], rows)];
}

function questionOf(guard: string): string {
  const question = questions[guard];
  if (question === undefined) throw new Error(`guard ${guard} has no line in machine-tables.ts`);
  return question;
}

function code(text: string): string {
  return `\`${text}\``;
}
