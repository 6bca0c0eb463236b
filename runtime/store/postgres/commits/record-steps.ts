import type { StepsTurn } from "../../turns.ts";
import { plainArray } from "../arrays.ts";
import { eventRows } from "./append-events.ts";
import { inTwoForms } from "./fence.ts";
import { refusedUnlessAll } from "./refused.ts";
import type { Statement } from "./statement.ts";

const events = eventRows(4);

/**
 * Steps of tasks that are this node's. No row is locked: a task that another node takes over at
 * this moment may get a step of ours, and then one of the two stands before a taken seq.
 */
export const recordSteps = inTwoForms(
  events.next,
  (passage) => `
with ${passage.clauses} held as (
  select id from kantoku.tasks
  where id = any ($2::text::uuid[]) and owner is not distinct from $1::uuid
), journaled as (
  insert into kantoku.events (actor, seq, type, at, data)${events.sql}
  where ${passage.isOpen}
)${refusedUnlessAll({
    among: "held",
    count: "$3",
    otherwise: "steps of tasks that are not this node''s",
    passage,
  })}`,
);

export function recordStepsStatement(node: string, turns: readonly StepsTurn[]): Statement {
  const ids = plainArray(turns.map(({ id }) => id));
  return {
    ...recordSteps,
    parameters: [node, ids, turns.length, ...events.parameters(turns)],
  };
}
