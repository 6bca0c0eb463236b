import type { TaskQuery } from "../store.ts";
import { boundedPart } from "./bounded-part.ts";
import type { Parameter } from "./line.ts";
import { largeTaskColumns, taskColumns } from "./rows.ts";

interface ListStatement {
  readonly text: string;
  readonly parameters: readonly Parameter[];
}

/**
 * One text for each set of filters, so that each gets plans of its own. Several statuses are as
 * many lists merged: no index holds them all in order, and to go through a million tasks for the
 * few that failed or run takes half a second.
 */
export function listStatement(query: TaskQuery): ListStatement {
  const parameters: Parameter[] = [];
  const bind = (value: Parameter): string => `$${parameters.push(value)}`;

  const statuses = query.status && [...new Set(query.status)];
  const filters = filtersOf(query, bind);
  const direction = query.order === "ascending" ? "asc" : "desc";
  const limit = bind(query.limit);
  const page = `order by id ${direction} limit ${limit}::int`;
  const select = (conditions: readonly string[]): string =>
    `select ${taskColumns.bare} from kantoku.tasks where ${conditions.join(" and ")} ${page}`;

  if (statuses === undefined) return { text: select(filters), parameters };
  if (statuses.length === 0) return { text: select([...filters, "false"]), parameters };
  const lists = statuses.map((status) => select([...filters, `status = ${bind(status)}::text`]));
  const [only] = lists;
  if (lists.length === 1 && only !== undefined) return { text: only, parameters };
  const merged = lists.map((list) => `(${list})`).join(" union all ");
  return { text: `select ${taskColumns.bare} from (${merged}) as tasks ${page}`, parameters };
}

export function listPartStatement(query: TaskQuery, bytesMax: number): ListStatement {
  const { text, parameters } = listStatement(query);
  return {
    text: boundedPart({
      text,
      columns: taskColumns.bare,
      large: largeTaskColumns,
      order: `id ${query.order === "ascending" ? "asc" : "desc"}`,
      bytesMax: `$${parameters.length + 1}::bigint`,
    }),
    parameters: [...parameters, bytesMax],
  };
}

function filtersOf(query: TaskQuery, bind: (value: Parameter) => string): string[] {
  const { definition, labels, createdAfter, createdBefore, root, restartRoot, beyond } = query;
  // Hashes are what the index has of names: migration 5.
  const hasName = (column: string, name: string): string => {
    const given = `${bind(name)}::text`;
    return `${column} = ${given} and hashtext(${column}) = hashtext(${given})`;
  };
  // The depth is for the planner: migration 6.
  const filters = ["depth >= 0", hasName("namespace", query.namespace)];
  if (definition !== undefined) filters.push(hasName("definition", definition));
  if (labels !== undefined) filters.push(`labels @> ${bind(JSON.stringify(labels))}::text::jsonb`);
  if (createdAfter !== undefined) {
    filters.push(`created_at > kantoku.instant(${bind(createdAfter)}::float8)`);
  }
  if (createdBefore !== undefined) {
    filters.push(`created_at < kantoku.instant(${bind(createdBefore)}::float8)`);
  }
  if (root !== undefined) {
    const id = `${bind(root)}::uuid`;
    filters.push(`(id = ${id} or root = ${id} and root <> id)`);
  }
  if (restartRoot !== undefined) {
    const id = `${bind(restartRoot)}::uuid`;
    filters.push(`(id = ${id} or restart_root = ${id})`);
  }
  if (beyond !== undefined) {
    filters.push(`id ${query.order === "ascending" ? ">" : "<"} ${bind(beyond)}::uuid`);
  }
  return filters;
}
