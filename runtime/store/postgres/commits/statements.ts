import type { Batch, TaskTurn, Turn } from "../../turns.ts";
import { chunksOf } from "../arrays.ts";
import type { Parameter } from "../line.ts";
import { appendEvents, appendEventsParameters } from "./append-events.ts";
import { enter, enterParameters } from "./enter.ts";
import { insertTasks, insertTasksStatement } from "./insert-tasks.ts";
import { consumeLetters, consumeLettersParameters } from "./letters.ts";
import { sortTurns } from "./sorting.ts";
import type { Statement } from "./statement.ts";
import { clearTimers, clearTimersParameters, setTimers, setTimersParameters } from "./timers.ts";
import { updateTasks, updateTasksStatement } from "./update-tasks.ts";
import {
  insertWorkers,
  insertWorkersParameters,
  updateWorkers,
  updateWorkersParameters,
} from "./workers.ts";

/** Every text that a batch may send. */
export const commitTexts: readonly string[] = [
  enter,
  ...Object.values(insertTasks),
  ...Object.values(updateTasks),
  appendEvents,
  clearTimers,
  setTimers,
  consumeLetters,
  insertWorkers,
  updateWorkers,
];

/** As many turns in one statement, at most. */
const turnsMax = 1000;

/** What a batch writes, in the order in which locks are taken. What has no rows is left out. */
export function statementsOf(batch: Batch): Statement[] {
  const { submits, updates, registrations, workerUpdates } = sortTurns(batch);
  const appending = [...updates, ...registrations, ...workerUpdates].filter(hasEvents);
  return [
    { text: enter, parameters: enterParameters(batch) },
    ...Array.from(chunksOf(submits, turnsMax), insertTasksStatement),
    ...Array.from(chunksOf(updates, turnsMax), (turns) => updateTasksStatement(batch.node, turns)),
    // Before events: that a worker stands elsewhere is to be said by its row, not by a taken seq.
    ...inChunks(insertWorkers, registrations, insertWorkersParameters),
    ...inChunks(updateWorkers, workerUpdates, updateWorkersParameters),
    ...inChunks(appendEvents, appending, appendEventsParameters),
    ...inChunks(clearTimers, updates.filter(clearsTimers), clearTimersParameters),
    ...inChunks(setTimers, updates.filter(setsTimers), setTimersParameters),
    ...inChunks(consumeLetters, updates.filter(consumesLetters), consumeLettersParameters),
  ];
}

function inChunks<T>(
  text: string,
  turns: readonly T[],
  toParameters: (turns: readonly T[]) => readonly Parameter[],
): Statement[] {
  return Array.from(chunksOf(turns, turnsMax), (chunk) => ({
    text,
    parameters: toParameters(chunk),
  }));
}

function hasEvents({ events }: Turn): boolean {
  return events.length > 0;
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
