/**
 * Tasks that depend on tasks. Safe for running workers: yes. Older nodes neither write nor read
 * what is new here; they take no part in graphs, so they should be gone before the first is sent.
 */
export const graphs = `
alter table kantoku.tasks
  -- Who does the work: a worker, or the tasks under it.
  add column kind    text collate "C" not null default 'task',
  -- Its name under its parent.
  add column name    text collate "C",
  -- Of a pipeline: the tasks under it, and how they hang together.
  add column graph   json,
  -- How many tasks it is under.
  add column depth   int not null default 0,
  -- Whether the end of this task is news to others: else its last commit has nothing to look for.
  add column awaited boolean not null default false,
  -- Of a root: which earlier one it does again, and which was the first.
  add column restart_of   uuid,
  add column restart_root uuid;
create unique index tasks_by_place on kantoku.tasks (parent, name) where parent is not null;
-- Of two who restart a root only one can have inserted the new one.
create unique index tasks_by_restart on kantoku.tasks (restart_of) where restart_of is not null;
create index tasks_by_restart_root on kantoku.tasks (restart_root, id)
  where restart_root is not null;

-- The dependent waits for the dependency. Kept: readers draw them, a restart counts them again.
create table kantoku.edges (
  dependency uuid not null,
  dependent  uuid not null,
  primary key (dependency, dependent)
);
create index edges_by_dependent on kantoku.edges (dependent);

-- How many dependencies of a task have not ended. A row of its own, so that to count down neither
-- touches the task nor waits for a turn of it.
create table kantoku.gates (
  task    uuid primary key,
  pending int not null
) with (fillfactor = 50);

-- Never changed: another body is another version.
create table kantoku.pipelines (
  namespace     text collate "C" not null,
  name          text collate "C" not null,
  version       text collate "C" not null,
  body          json not null,
  registered_at timestamptz not null,
  primary key (namespace, name, version)
);
create index pipelines_by_age on kantoku.pipelines (namespace, name, registered_at);
`;
