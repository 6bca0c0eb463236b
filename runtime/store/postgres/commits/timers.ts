import type { Instant } from "../../rows.ts";
import type { TaskTurn } from "../../turns.ts";
import { plainArray, textArray } from "../arrays.ts";
import type { Parameter } from "../line.ts";
import { type Column, type Rows, rowsOf } from "./columns.ts";

interface SetTimer {
  readonly actor: string;
  readonly kind: string;
  readonly dueAt: Instant;
}

const timerColumns: readonly Column<SetTimer>[] = [
  { name: "actor", type: "uuid", cell: ({ actor }) => actor },
  { name: "kind", type: "text", cell: ({ kind }) => kind },
  { name: "due_at", type: "instant", cell: ({ dueAt }) => dueAt },
];

/** The timers that turns set, as rows from parameter `first` on. */
export function timerRows(first: number): Rows<TaskTurn> {
  const rows = rowsOf(first, timerColumns);
  return { ...rows, parameters: (turns) => rows.parameters(timersOf(turns)) };
}

const setRows = timerRows(1);

/** Before any is set: a turn may clear a kind and set it again. */
export const clearTimers = `
delete from kantoku.timers
where actor = any ($1::text::uuid[])
  and ((actor, kind) in (
    select unnest($1::text::uuid[]), unnest($2::text::text[]) collate "C"
  )) is true`;

export const setTimers = `
insert into kantoku.timers (actor, kind, due_at)${setRows.sql}
on conflict (actor, kind) do update set due_at = excluded.due_at`;

export function clearTimersParameters(turns: readonly TaskTurn[]): Parameter[] {
  return [
    plainArray(turns.flatMap((turn) => turn.timersCleared.map(() => turn.id))),
    textArray(turns.flatMap((turn) => turn.timersCleared)),
  ];
}

export function setTimersParameters(turns: readonly TaskTurn[]): Parameter[] {
  return setRows.parameters(turns);
}

function timersOf(turns: readonly TaskTurn[]): SetTimer[] {
  return turns.flatMap(({ id, timersSet }) => timersSet.map((timer) => ({ ...timer, actor: id })));
}
