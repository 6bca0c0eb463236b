import type { TaskTurn } from "../../turns.ts";
import { plainArray } from "../arrays.ts";
import type { Parameter } from "../line.ts";
import { ktStale } from "../sql-state.ts";

/**
 * Of a root that was done again in a new tree nothing is restarted in place. A statement of its own,
 * after the update: a new root that held the update up was committed meanwhile, and is seen only now.
 */
export const refuseRenewed = `
select case when exists (
  select from kantoku.tasks where restart_of = any ($1::text::uuid[])
) then
  kantoku.refuse('${ktStale}', 'a root was done again')
end`;

export function isRestarted({ events }: TaskTurn): boolean {
  return events.some(({ type }) => type === "task.restarted");
}

export function refuseRenewedParameters(turns: readonly TaskTurn[]): Parameter[] {
  return [plainArray(turns.map(({ id }) => id))];
}
