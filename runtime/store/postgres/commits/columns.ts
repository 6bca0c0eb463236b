import { plainArray, textArray } from "../arrays.ts";
import type { Parameter } from "../line.ts";

type Cell = string | number | boolean | null;

/** One column of the rows that a statement is given: its type there, and what a row has in it. */
export interface Column<Row> {
  readonly name: string;
  readonly type: keyof typeof kinds;
  cell(row: Row): Cell;
  /** What stands there, in SQL, where a row has null: a column of `sent`. */
  readonly absent?: string;
}

interface Kind {
  /** As it is sent, one by one. */
  readonly sent: string;
  readonly toArray: (cells: readonly Cell[]) => string;
  readonly read: (value: string) => string;
}

const asItIs = (value: string): string => value;
const plain = plainArray as (cells: readonly Cell[]) => string;
const text = textArray as (cells: readonly Cell[]) => string;

const kinds = {
  uuid: { sent: "uuid", toArray: plain, read: asItIs },
  int: { sent: "int", toArray: plain, read: asItIs },
  // Epoch milliseconds.
  instant: { sent: "float8", toArray: plain, read: (value) => `kantoku.instant(${value})` },
  text: { sent: "text", toArray: text, read: asItIs },
  json: { sent: "json", toArray: text, read: asItIs },
  jsonb: { sent: "jsonb", toArray: text, read: asItIs },
  // Arrays of ids, each as text.
  uuids: { sent: "text", toArray: text, read: (value) => `${value}::uuid[]` },
  // The driver would prepare a statement again for a boolean that is sent as one.
  bool: { sent: "text", toArray: plain, read: (value) => `${value}::bool` },
} as const satisfies Record<string, Kind>;

/** Rows of a statement, in SQL and as its parameters. */
export interface Rows<Row> {
  /** A select of all columns. */
  readonly sql: string;
  /** The first column by itself, an array; also what says how many rows there are. */
  readonly key: string;
  /** The number of the first parameter that is not taken. */
  readonly next: number;
  parameters(rows: readonly Row[]): Parameter[];
}

/**
 * Rows as an array a column, from parameter `first` on. What all rows agree on travels once, beside
 * an empty array: of a batch of submits that is half of the columns, and an array costs the server
 * more to read than to store (measured: a sixth of a commit's time).
 */
export function rowsOf<Row>(first: number, columns: readonly Column<Row>[]): Rows<Row> {
  const [key, ...others] = columns;
  if (key === undefined) throw new RangeError("rows have a column");
  const places = others.map((column, index) => ({ ...column, at: first + 1 + 2 * index }));
  const array = (type: Column<Row>["type"], at: number) => `$${at}::text::${kinds[type].sent}[]`;
  const common = (type: Column<Row>["type"], at: number) => `$${at}::${kinds[type].sent}`;
  const read = places.map(({ name, type, at, absent }) => {
    const choices = [
      `sent.${name}`,
      common(type, at + 1),
      ...(absent === undefined ? [] : [absent]),
    ];
    const value = `coalesce(${choices.join(", ")})`;
    return `${kinds[type].read(value)} as ${name}`;
  });
  const sent = places.map(({ name, type, at }) => `unnest(${array(type, at)}) as ${name}`);
  return {
    sql: `
  select sent.${[key.name, ...read].join(",\n    ")}
  from (
    select
      unnest(${array(key.type, first)}) as ${[key.name, ...sent].join(",\n      ")}
  ) as sent`,
    key: array(key.type, first),
    next: first + 1 + 2 * others.length,
    parameters: (rows) => [
      kinds[key.type].toArray(rows.map(key.cell)),
      ...others.flatMap(({ type, cell }) => pair(kinds[type].toArray, rows.map(cell))),
    ],
  };
}

/**
 * Exactly `count` rows, each cell a parameter by itself. To start a statement with an array a column
 * takes longer than to write a single row (measured: a third of a lonely task's commit).
 */
export function fewRowsOf<Row>(
  first: number,
  columns: readonly Column<Row>[],
  count: number,
): Rows<Row> {
  const [key] = columns;
  if (key === undefined) throw new RangeError("rows have a column");
  const places = Array.from({ length: count }, (_, row) => first + row * columns.length);
  const cell = (type: Column<Row>["type"], at: number) => `$${at}::${kinds[type].sent}`;
  const row = (at: number) => columns.map(({ type }, index) => cell(type, at + index)).join(", ");
  const read = columns.map(({ name, type, absent }) => {
    const sent = absent === undefined ? `sent.${name}` : `coalesce(sent.${name}, ${absent})`;
    return `${kinds[type].read(sent)} as ${name}`;
  });
  return {
    sql: `
  select ${read.join(",\n    ")}
  from (
    values ${places.map((at) => `(${row(at)})`).join(",\n      ")}
  ) as sent (${columns.map(({ name }) => name).join(", ")})`,
    key: `array[${places.map((at) => cell(key.type, at)).join(", ")}]`,
    next: first + count * columns.length,
    parameters: (rows) => {
      if (rows.length !== count) throw new RangeError(`${rows.length} rows instead of ${count}`);
      return rows.flatMap((it) => columns.map((column) => parameterOf(column.cell(it))));
    },
  };
}

function parameterOf(cell: Cell): Parameter {
  return typeof cell === "boolean" ? String(cell) : cell;
}

/** The cells, or what they all are. */
function pair(toArray: Kind["toArray"], cells: readonly Cell[]): [string, Parameter] {
  const [first = null] = cells;
  if (cells.some((cell) => cell !== first)) return [toArray(cells), null];
  return ["{}", parameterOf(first)];
}
