import type { DependencyRow, EdgeRow, GraphStore, MemberRow } from "../store.ts";
import { plainArray } from "./arrays.ts";
import type { Connections } from "./connections.ts";
import { idOf, isId, taskColumns, taskOf } from "./rows.ts";

/**
 * JSON is read whole to know its length: so that is done once for each output, however many wait
 * for it, and below an `offset 0`, beyond which the planner carries no expression to repeat it.
 */
export const dependenciesOf = `
select unnest(dependents) as dependent, id, parent, name, status, error, bytes as "outputBytes",
  case when total <= $2::int then output end as output
from (
  select *, sum(bytes::bigint * cardinality(dependents)) over () as total
  from (
    select awaited.dependents, tasks.id, tasks.parent, coalesce(tasks.name, '') as name,
      tasks.status, tasks.output, tasks.error, octet_length(tasks.output::text) as bytes
    from (
      select dependency, array_agg(gates.task) as dependents
      from kantoku.gates as gates
      cross join unnest(gates.dependencies) as dependency
      where gates.task = any ($1::text::uuid[])
      group by dependency
    ) as awaited
    join kantoku.tasks as tasks on tasks.id = awaited.dependency
    order by tasks.id offset 0
  ) as found
) as summed`;

const outputsOf = `
select id, output from kantoku.tasks
where id = any ($1::text::uuid[]) and output is not null`;

const size = "select count(*)::int as size from kantoku.tasks where root = $1::uuid and root <> id";

const memberColumns = "id, definition, parent, status, kind, name";
const members = `
select ${memberColumns} from kantoku.tasks where id = $1::uuid and root = id
union all
select ${memberColumns} from kantoku.tasks where root = $1::uuid and root <> id
order by id`;

const edges = `
select unnest(dependencies) as dependency, task as dependent from kantoku.gates
where task = $1::uuid or task in (
  select id from kantoku.tasks where root = $1::uuid and root <> id
)`;

const child = `
select ${taskColumns.bare} from kantoku.tasks where parent = $1::uuid and name = $2::text`;

export function createGraphStore({ readers }: Connections): GraphStore {
  return {
    async dependenciesOf(dependents, outputBytesMax) {
      if (dependents.length === 0) return [];
      const parameters = [plainArray(dependents), outputBytesMax];
      const rows = await readers.ask(dependenciesOf, parameters);
      return rows as unknown as readonly DependencyRow[];
    },

    async outputsOf(tasks) {
      if (tasks.length === 0) return new Map();
      const rows = await readers.ask(outputsOf, [plainArray(tasks)]);
      return new Map(rows.map((row) => [idOf(row), String(row["output"])]));
    },

    async size(root) {
      const [row] = await readers.ask(size, [root]);
      return Number(row?.["size"]);
    },

    async members(root) {
      if (!isId(root)) return [];
      return (await readers.ask(members, [root])) as unknown as readonly MemberRow[];
    },

    async edges(root) {
      if (!isId(root)) return [];
      return (await readers.ask(edges, [root])) as unknown as readonly EdgeRow[];
    },

    async child(parent, name) {
      const [row] = await readers.ask(child, [parent, name]);
      return row === undefined ? null : taskOf(row);
    },
  };
}
