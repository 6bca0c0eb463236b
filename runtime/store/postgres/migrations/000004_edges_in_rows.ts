/**
 * Edges as lists in rows that are written anyway: a task's dependents with the task, a dependent's
 * dependencies with its gate. A table of them, with its two indexes, was a tenth of what a graph
 * costs. Safe for running workers: no. Older nodes write the table; stop them first.
 */
export const edgesInRows = `
alter table kantoku.tasks add column dependents uuid[];
alter table kantoku.gates add column dependencies uuid[] not null default '{}';

update kantoku.tasks as tasks set dependents = edges.dependents
from (
  select dependency, array_agg(dependent) as dependents from kantoku.edges group by dependency
) as edges
where tasks.id = edges.dependency;

update kantoku.gates as gates set dependencies = edges.dependencies
from (
  select dependent, array_agg(dependency) as dependencies from kantoku.edges group by dependent
) as edges
where gates.task = edges.dependent;

drop table kantoku.edges;
`;
