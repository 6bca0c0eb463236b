import type { Part } from "../store.ts";
import type { Answer, Row } from "./line.ts";

interface Asked {
  /** A select with an order and a limit of its own. */
  readonly text: string;
  readonly columns: string;
  /** Those that may be large. */
  readonly large: readonly string[];
  /** The column and direction of its order, as SQL. */
  readonly order: string;
  /** The parameter with the bytes that are enough, as SQL. */
  readonly bytesMax: string;
}

/**
 * Of the rows asked for, in their order, those before whose end `bytesMax` is not reached: a row of
 * which nothing will be sent is not read by this process either. What is stored uncompressed is
 * measured without being read by the database.
 */
export function boundedPart({ text, columns, large, order, bytesMax }: Asked): string {
  return `
select ${columns}, asked from (
  select *, count(*) over () as asked,
    sum(bytes) over (order by ${order} rows between unbounded preceding and 1 preceding) as before
  from (select *, ${large.map(bytesOf).join(" + ")} as bytes from (${text}) as rows) as measured
) as summed
where coalesce(before, 0) < ${bytesMax}
order by ${order}`;
}

export function partOf<Result>(answer: Answer, rowOf: (row: Row) => Result): Part<Result> {
  const asked = Number(answer[0]?.["asked"] ?? 0);
  return { rows: answer.map(rowOf), isCut: answer.length < asked };
}

function bytesOf(column: string): string {
  return `coalesce(case when pg_column_compression(${column}) is null
    then pg_column_size(${column}) else octet_length(${column}::text) end, 0)::bigint`;
}
