import type { EventRow } from "../../rows.ts";
import type { Turn } from "../../turns.ts";
import type { Parameter } from "../line.ts";
import { type Column, fewRowsOf, type Rows, rowsOf } from "./columns.ts";

/** An event and whose it is. */
type Fact = EventRow & { readonly actor: string };

const factColumns: readonly Column<Fact>[] = [
  { name: "actor", type: "uuid", cell: ({ actor }) => actor },
  { name: "seq", type: "int", cell: ({ seq }) => seq },
  { name: "type", type: "text", cell: ({ type }) => type },
  { name: "at", type: "instant", cell: ({ at }) => at },
  { name: "data", type: "json", cell: ({ data }) => data },
];

/** The events of turns, as rows from parameter `first` on. */
export function eventRows(first: number): Rows<Turn> {
  const rows = rowsOf(first, factColumns);
  return { ...rows, parameters: (turns) => rows.parameters(factsOf(turns)) };
}

/** Exactly `count` of them. */
export function fewEventRows(first: number, count: number): Rows<Turn> {
  const rows = fewRowsOf(first, factColumns, count);
  return { ...rows, parameters: (turns) => rows.parameters(factsOf(turns)) };
}

const appended = eventRows(1);

/** Events of workers. A seq that is taken refuses the batch. */
export const appendEvents = `
insert into kantoku.events (actor, seq, type, at, data)${appended.sql}`;

export function appendEventsParameters(turns: readonly Turn[]): Parameter[] {
  return appended.parameters(turns);
}

function factsOf(turns: readonly Turn[]): Fact[] {
  return turns.flatMap(({ id, events }) => events.map((event) => ({ ...event, actor: id })));
}
