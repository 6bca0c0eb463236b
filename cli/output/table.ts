import { harmless, paint, type Tone } from "./terminal.ts";

export type Cell = string | { readonly text: string; readonly tone: Tone };
export type Column<Row> = readonly [heading: string, cell: (row: Row) => Cell];

const gap = "   ";
/** Shown where there is nothing, so that columns can be told apart by programs. */
const nothing = "-";

/** Aligned columns with headings; one line a row. */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const headings = columns.map(([heading]) => ({ text: heading, tone: "head" as const }));
  const lines = [headings, ...rows.map((row) => columns.map(([, cell]) => toPlain(cell(row))))];
  const widths = columns.map((_, at) =>
    Math.max(...lines.map((line) => line[at]?.text.length ?? 0)),
  );
  return lines.map((line) => formatLine(line, widths)).join("\n");
}

interface PlainCell {
  readonly text: string;
  readonly tone?: Tone;
}

function toPlain(cell: Cell): PlainCell {
  const { text, tone } = typeof cell === "string" ? { text: cell } : cell;
  const line = harmless(text).replaceAll(/\s+/g, " ") || nothing;
  return tone === undefined ? { text: line } : { text: line, tone };
}

function formatLine(cells: readonly PlainCell[], widths: readonly number[]): string {
  return cells
    .map(({ text, tone }, at) => {
      const isLast = at === cells.length - 1;
      const padding = isLast ? "" : " ".repeat((widths[at] ?? 0) - text.length);
      return paint(text, tone) + padding;
    })
    .join(gap);
}

type Fact = readonly [name: string, value: Cell | undefined];

/** `Name:  value`, aligned; facts without a value are left out. */
export function formatFacts(facts: readonly Fact[]): string {
  const known = facts.filter(([, value]) => value !== undefined);
  const width = Math.max(...known.map(([name]) => name.length)) + ":".length;
  return known.map(([name, value]) => formatFact(name, value ?? "", width)).join("\n");
}

function formatFact(name: string, value: Cell, width: number): string {
  const { text, tone } = typeof value === "string" ? { text: value, tone: undefined } : value;
  const indent = `\n${" ".repeat(width)}${gap}`;
  const lines = paint(harmless(text), tone).replaceAll("\n", indent);
  return `${paint(`${name}:`.padEnd(width), "head")}${gap}${lines}`;
}
