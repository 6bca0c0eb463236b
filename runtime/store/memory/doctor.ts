import type { Finding } from "../../../sdk/protocol/service.ts";
import { isEnded } from "../../../sdk/protocol/task.ts";
import { type Invariant, invariants } from "../invariants.ts";
import type { EventRow, TaskRow } from "../rows.ts";
import { holdsSlot } from "./ownership.ts";
import { headOf, isClaimable, type Journal, type Tables } from "./tables.ts";

const examplesMax = 10;

const outcomes: ReadonlySet<string> = new Set([
  "attempt.succeeded",
  "attempt.failed",
  "attempt.timedOut",
  "attempt.lost",
  "attempt.refused",
  "attempt.cancelled",
]);

/** Whatever came before, one of these ends a task. */
const alwaysTerminal: ReadonlySet<string> = new Set([
  "attempt.succeeded",
  "attempt.cancelled",
  "task.timedOut",
  "task.succeeded",
  "task.failed",
  "task.skipped",
  "task.cancelled",
  "task.reused",
]);

/** What the last event of an ended task can be, late attempts aside. */
const terminal: ReadonlySet<string> = new Set([
  ...alwaysTerminal,
  "attempt.failed",
  "attempt.timedOut",
  "attempt.lost",
  "task.cancelRequested",
]);

/** Ids of the actors that break the invariant. */
type Check = (tables: Tables) => readonly string[];

const checks: Readonly<Record<Invariant, Check>> = {
  "journal-gapless": ({ journals }) =>
    [...journals]
      .filter(([, journal]) => journal.first?.seq !== 1 || journal.last?.seq !== journal.size)
      .map(([actor]) => actor),

  "journal-matches-seq": ({ journals, tasks, workers }) =>
    [...tasks.values(), ...workers.values()]
      .filter((actor) => {
        const journal = journals.get(actor.id);
        if ((journal?.last?.seq ?? 0) === actor.seq) return false;
        const tail = [...(journal?.above(actor.seq) ?? [])];
        const mayHaveTail = actor.status === "running" || actor.status === "cancelling";
        const areSteps = tail.every(({ type }) => type === "step.recorded");
        return !(mayHaveTail && areSteps && tail.length > 0);
      })
      .map(({ id }) => id),

  "journal-has-actor": ({ journals, tasks, workers }) =>
    [...journals.keys()].filter((actor) => !tasks.has(actor) && !workers.has(actor)),

  "queue-matches-ready": (tables) => {
    const heads = headsById(tables);
    const wrong = tasksWhere(tables, (task) => {
      return heads.get(task.id) !== (isClaimable(task) ? headOf(task) : undefined);
    });
    return [...wrong, ...[...heads.keys()].filter((id) => !tables.tasks.has(id))];
  },

  "ended-is-final": (tables) =>
    tasksWhere(tables, (task) => livesOn(task, tables.journals.get(task.id))),

  "ended-has-end": (tables) =>
    tasksWhere(tables, ({ status, endedAt }) => isEnded(status) !== (endedAt !== null)),

  "ended-has-output-or-error": (tables) =>
    tasksWhere(tables, ({ status, output, error }) => {
      return (status === "succeeded" && output === null) || (status === "failed" && error === null);
    }),

  "one-outcome-per-attempt": ({ journals }) =>
    [...journals].filter(([, journal]) => hasRival(journal)).map(([actor]) => actor),

  "owner-is-live": (tables) =>
    tasksWhere(tables, ({ owner }) => owner !== null && !tables.nodes.has(owner)),

  "running-has-worker": (tables) =>
    tasksWhere(tables, (task) => {
      const isWorkers = (task.place?.kind ?? "task") === "task";
      return isWorkers && holdsSlot(task) && !tables.workers.has(task.worker ?? "");
    }),

  "timers-have-waiting-task": ({ tasks, timers }) =>
    [...timers]
      .filter(({ actor, kind }) => {
        const status = tasks.get(actor)?.status;
        if (status === undefined || isEnded(status)) return true;
        return kind === "due" && status !== "waiting";
      })
      .map(({ actor }) => actor),

  "waiting-has-waker": (tables) => {
    const addressees = new Set([...tables.letters.values()].map(({ actor }) => actor));
    return tasksWhere(tables, ({ id, status }) => {
      if (status !== "waiting" || tables.timersByActor.get(id)?.has("due")) return false;
      return !addressees.has(id) && (tables.gates.get(id) ?? 0) === 0;
    });
  },

  "gate-counts-dependencies": ({ gates, dependencies, tasks }) =>
    [...gates]
      .filter(([task, pending]) => {
        if (!tasks.has(task)) return true;
        const all = [...(dependencies.get(task) ?? [])].map((id) => tasks.get(id));
        return all.filter((it) => it !== undefined && !isEnded(it.status)).length !== pending;
      })
      .map(([task]) => task),

  "mail-has-actor": ({ letters, tasks }) =>
    [...letters.values()].map(({ actor }) => actor).filter((actor) => !tasks.has(actor)),
};

/** Looks at everything: one finding for each invariant that does not hold. */
export function examine(tables: Tables, isWanted = () => true): readonly Finding[] {
  const findings: Finding[] = [];
  for (const invariant of Object.keys(invariants) as Invariant[]) {
    if (!isWanted()) break;
    const broken = checks[invariant](tables);
    if (broken.length === 0) continue;
    findings.push({ invariant, count: broken.length, examples: broken.slice(0, examplesMax) });
  }
  return findings;
}

function tasksWhere({ tasks }: Tables, isBroken: (task: TaskRow) => boolean): readonly string[] {
  return [...tasks.values()].filter(isBroken).map(({ id }) => id);
}

function headsById({ queue }: Tables): ReadonlyMap<string, string> {
  const heads = new Map<string, string>();
  for (const [head, queued] of queue) for (const { id } of queued) heads.set(id, head);
  return heads;
}

function livesOn({ status }: TaskRow, journal: Journal | undefined): boolean {
  const all = [...(journal ?? [])].map(({ type }) => type).filter(isNotLate);
  const types = all.slice(Math.max(0, all.lastIndexOf("task.restarted")));
  const last = types.pop() ?? "";
  if (types.some((type) => alwaysTerminal.has(type))) return true;
  return isEnded(status) ? !terminal.has(last) : alwaysTerminal.has(last);
}

function isNotLate(type: string): boolean {
  return type !== "attempt.late";
}

function hasRival(journal: Journal): boolean {
  const tokens = [...journal].filter(({ type }) => outcomes.has(type)).map(tokenOf);
  return new Set(tokens).size < tokens.length;
}

function tokenOf({ data }: EventRow): unknown {
  return JSON.parse(data).token;
}
