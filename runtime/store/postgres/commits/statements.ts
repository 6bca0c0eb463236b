import type { Batch, TaskLinks, TaskTurn } from "../../turns.ts";
import { chunksOf } from "../arrays.ts";
import type { Parameter } from "../line.ts";
import { appendEvents, appendEventsParameters } from "./append-events.ts";
import { enter, enterParameters } from "./fence.ts";
import {
  insertChildrenStatement,
  insertMembersStatement,
  insertRootsStatement,
  insertTasks,
  insertTasksStatement,
} from "./insert-tasks.ts";
import { consumeLetters, consumeLettersParameters } from "./letters.ts";
import {
  addDependents,
  addDependentsParameters,
  askGates,
  linkedTasksParameters,
  postLetters,
  postLettersParameters,
  releaseDependents,
  releaseDependentsParameters,
  reopenDependencies,
  resolveInputs,
  resolveInputsParameters,
  writeGates,
  writeGatesParameters,
  writeToChildren,
  writeToChildrenParameters,
} from "./links.ts";
import { recordSteps, recordStepsStatement } from "./record-steps.ts";
import { isRestarted, refuseRestarts, refuseRestartsParameters } from "./refuse-restarts.ts";
import { beginStatement, singleTask, submitStatement, updateStatement } from "./single-task.ts";
import { depthOf, sortTurns } from "./sorting.ts";
import type { Statement, Writing } from "./statement.ts";
import { clearTimers, clearTimersParameters, setTimers, setTimersParameters } from "./timers.ts";
import { updateForetoldStatement, updateTasks, updateTasksStatement } from "./update-tasks.ts";
import {
  insertWorkers,
  insertWorkersParameters,
  updateWorkers,
  updateWorkersParameters,
} from "./workers.ts";

/** Every text that a batch may send. */
export const commitTexts: readonly string[] = [
  enter,
  ...[insertTasks, updateTasks, { recordSteps }, singleTask].flatMap((statements) =>
    Object.values(statements).flatMap((forms): string[] => Object.values(forms)),
  ),
  refuseRestarts,
  appendEvents,
  clearTimers,
  setTimers,
  consumeLetters,
  insertWorkers,
  updateWorkers,
  resolveInputs,
  ...Object.values(writeGates),
  addDependents,
  postLetters,
  writeToChildren,
  reopenDependencies,
  askGates,
  releaseDependents,
];

const none: Statement[] = [];

/** As many turns in one statement, at most. */
const turnsMax = 1000;

/** What a batch writes, in the order in which locks are taken. What has no rows is left out. */
export function writingOf(batch: Batch): Writing {
  const parts = partsOf(batch);
  const fence = enterParameters(batch);
  const [only] = parts;
  if (parts.length === 1 && only?.alone !== undefined) {
    const whole = { ...only, text: only.alone, parameters: [...only.parameters, ...fence] };
    return { statements: [whole], isWhole: true };
  }
  return { statements: [{ text: enter, parameters: fence }, ...parts], isWhole: false };
}

function partsOf(batch: Batch): Statement[] {
  const sorted = sortTurns(batch);
  const { submits, roots, children, members, registrations, workerUpdates } = sorted;
  const updates = [...sorted.updates, ...sorted.foretold];
  const linked = [...roots, ...children, ...members, ...updates].filter(hasLinks);
  const workerTurns = [...registrations, ...workerUpdates];
  return [
    ...Array.from(
      chunksOf(submits, turnsMax),
      (turns) => submitStatement(turns) ?? insertTasksStatement(turns),
    ),
    ...Array.from(chunksOf(roots, turnsMax), insertRootsStatement),
    ...Array.from(
      chunksOf(sorted.updates, turnsMax),
      (turns) => updateStatement(batch.node, turns) ?? updateTasksStatement(batch.node, turns),
    ),
    ...inChunks(refuseRestarts, sorted.updates.filter(isRestarted), refuseRestartsParameters),
    ...Array.from(
      chunksOf(sorted.foretold, turnsMax),
      (turns) => beginStatement(turns) ?? updateForetoldStatement(turns),
    ),
    ...inChunks(addDependents, sorted.awaited, addDependentsParameters),
    // Behind all updates: whoever holds a parent here waits for no other task's row.
    ...Array.from(chunksOf(children, turnsMax), insertChildrenStatement),
    // No statement sees what it inserts itself: parents are there before their children.
    ...Array.from(Map.groupBy(members, depthOf).values()).flatMap((generation) =>
      Array.from(chunksOf(generation, turnsMax), insertMembersStatement),
    ),
    ...Array.from(chunksOf(sorted.steps, turnsMax), (turns) =>
      recordStepsStatement(batch.node, turns),
    ),
    // Before events: that a worker stands elsewhere is to be said by its row, not by a taken seq.
    ...inChunks(insertWorkers, registrations, insertWorkersParameters),
    ...inChunks(updateWorkers, workerUpdates, updateWorkersParameters),
    ...inChunks(appendEvents, workerTurns, appendEventsParameters),
    ...inChunks(clearTimers, updates.filter(clearsTimers), clearTimersParameters),
    ...inChunks(setTimers, updates.filter(setsTimers), setTimersParameters),
    ...inChunks(consumeLetters, updates.filter(consumesLetters), consumeLettersParameters),
    ...(linked.length === 0 ? [] : linkStatements(linked)),
  ];
}

/** What turns do to other tasks. */
function linkStatements(turns: readonly TaskTurn[]): Statement[] {
  const having = (isIt: (links: TaskLinks) => boolean) =>
    turns.filter(({ links }) => links !== undefined && isIt(links));
  const letters = { answers: "letters" } as const;
  const dependents = having(({ dependsOn }) => dependsOn !== undefined);
  return [
    ...inChunks(
      resolveInputs,
      having(({ input, isForetold }) => input !== undefined && isForetold !== true),
      resolveInputsParameters,
    ),
    ...inChunks(writeGates.ofNew, dependents.filter(isNew), writeGatesParameters),
    ...inChunks(writeGates.ofKnown, dependents.filter(isKnown), writeGatesParameters),
    ...inChunks(
      postLetters,
      having(({ posts }) => posts !== undefined),
      postLettersParameters,
      letters,
    ),
    ...inChunks(
      writeToChildren,
      having(({ toChildren }) => toChildren !== undefined),
      writeToChildrenParameters,
      letters,
    ),
    ...inChunks(
      reopenDependencies,
      having(({ hasReopened }) => hasReopened === true),
      linkedTasksParameters,
    ),
    ...inChunks(
      askGates,
      having(({ asksGate }) => asksGate === true),
      linkedTasksParameters,
      letters,
    ),
    ...releaseStatement(
      having(({ hasEnded }) => hasEnded === true),
      having(({ isForetold }) => isForetold === true),
    ),
  ];
}

/** One for all, however many: a gate may come down by ends in all of its parts. */
function releaseStatement(ended: readonly TaskTurn[], foretold: readonly TaskTurn[]): Statement[] {
  if (ended.length === 0 && foretold.length === 0) return [];
  const parameters = releaseDependentsParameters(ended, foretold);
  return [{ text: releaseDependents, parameters, answers: "letters" }];
}

function inChunks<T>(
  text: string,
  turns: readonly T[],
  toParameters: (turns: readonly T[]) => readonly Parameter[],
  rest: Pick<Statement, "answers"> = {},
): Statement[] {
  if (turns.length === 0) return none;
  return Array.from(chunksOf(turns, turnsMax), (chunk) => ({
    text,
    parameters: toParameters(chunk),
    ...rest,
  }));
}

function hasLinks({ links }: TaskTurn): boolean {
  return links !== undefined;
}

function isNew({ identity }: TaskTurn): boolean {
  return identity !== null;
}

function isKnown({ identity }: TaskTurn): boolean {
  return identity === null;
}

function clearsTimers({ timersCleared }: TaskTurn): boolean {
  return timersCleared.length > 0;
}

function setsTimers({ timersSet }: TaskTurn): boolean {
  return timersSet.length > 0;
}

function consumesLetters({ letters }: TaskTurn): boolean {
  return letters.length > 0;
}
