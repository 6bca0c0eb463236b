import type { TaskTurn } from "../../turns.ts";
import { plainArray } from "../arrays.ts";
import type { Parameter } from "../line.ts";
import { ktStale } from "../sql-state.ts";

/**
 * Of a root that was done again in a new tree nothing is restarted in place. A statement of its own,
 * after the update: a new root that held the update up was committed meanwhile, and is seen only now.
 * Nor is what a cancel is on its way to: it was meant for the run before, and goes first.
 */
export const refuseRestarts = `
select case
  when exists (select from kantoku.tasks where restart_of = any ($1::text::uuid[])) then
    kantoku.refuse('${ktStale}', 'a root was done again')
  when exists (
    select from kantoku.mail
    where actor = any ($1::text::uuid[]) and message ->> 'type' = 'cancel'
  ) then
    kantoku.refuse('${ktStale}', 'a cancel is on its way')
end`;

export function isRestarted({ events }: TaskTurn): boolean {
  return events.some(({ type }) => type === "task.restarted");
}

export function refuseRestartsParameters(turns: readonly TaskTurn[]): Parameter[] {
  return [plainArray(turns.map(({ id }) => id))];
}
