/**
 * Everything there is. Safe for running workers: yes, there are none before it.
 *
 * Locks are taken in one order, in every statement of the store: lease row, batch row, task rows
 * (new ones by key, known ones by id), workers, events, ready, timers, mail.
 */
export const init = `
-- Leases of nodes. Judged by clock_timestamp() only: no node's own clock decides anything.
create table kantoku.nodes (
  incarnation   uuid primary key,
  host          text not null,
  pid           int not null,
  process_start text not null,
  expires_at    timestamptz not null
) with (fillfactor = 50);

-- The last batch that each lane of a node committed: how a commit whose answer was lost is resolved.
create table kantoku.batches (
  node uuid not null,
  lane int not null,
  id   bigint not null,
  primary key (node, lane)
) with (fillfactor = 50);

-- Names, keys and statuses are compared byte by byte ("C"): as fast on every server, and in the
-- order in which JavaScript compares them, or nearly.
-- json keeps order and numbers as they were given; labels are searched, so they are jsonb.
create table kantoku.tasks (
  id         uuid primary key,
  namespace  text collate "C" not null,
  definition text collate "C" not null,
  key        text collate "C",
  priority   int not null,
  input      json not null,
  labels     jsonb not null,
  metadata   jsonb not null,
  root       uuid not null,
  parent     uuid,
  trace      text,
  created_at timestamptz not null,

  status     text collate "C" not null,
  version    text collate "C" not null,
  seq        int not null,
  snapshot   json not null,
  owner      uuid,
  worker     uuid,
  attempt    int not null,
  output     json,
  error      json,
  started_at timestamptz,
  ended_at   timestamptz,

  progress   json,
  -- Set by the first watch, so that a commit learns for nothing whether anybody waits for news.
  watched    boolean not null default false
) with (
  autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_analyze_scale_factor = 0.05,
  autovacuum_vacuum_insert_scale_factor = 0.2
);

create unique index tasks_by_key on kantoku.tasks (key, namespace) where key is not null;
-- Each of these costs every submit and every turn (some 8 µs of a task's 80): only what some
-- statement cannot do without. A task that is submitted, runs and succeeds is in none by status.
create index tasks_by_definition on kantoku.tasks (namespace, definition, id);
create index tasks_by_status on kantoku.tasks (namespace, status, id)
  where status not in ('running', 'succeeded');
-- The few that are alive: by worker for those who adopt its attempts, and, read as a whole, for
-- the reaper, who looks for owners that are gone.
create index tasks_held on kantoku.tasks (worker, owner)
  where owner is not null or status in ('running', 'cancelling');
create index tasks_by_end on kantoku.tasks (ended_at) where root = id and ended_at is not null;
create index tasks_by_root on kantoku.tasks (root, id) where root <> id;

-- The journal of every actor, task or worker.
create table kantoku.events (
  actor uuid not null,
  seq   int not null,
  type  text collate "C" not null,
  at    timestamptz not null,
  data  json not null,
  primary key (actor, seq)
) with (autovacuum_vacuum_insert_scale_factor = 0.2);

-- Ready tasks that nobody owns. A table of its own, so that a million that nobody serves cost
-- the claims of the others nothing, and so that its dead rows are few and vacuumed at once.
create table kantoku.ready (
  id         uuid primary key,
  namespace  text collate "C" not null,
  definition text collate "C" not null,
  version    text collate "C" not null,
  priority   int not null
) with (
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0
);
create index ready_by_head on kantoku.ready (namespace, definition, version, priority, id);

create table kantoku.timers (
  actor  uuid not null,
  kind   text collate "C" not null,
  due_at timestamptz not null,
  primary key (actor, kind)
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create index timers_by_due on kantoku.timers (due_at);

-- Letters to actors that another node owns, until the turn that consumes them.
create table kantoku.mail (
  id      uuid primary key,
  actor   uuid not null,
  message json not null
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create index mail_by_actor on kantoku.mail (actor);

create table kantoku.workers (
  id            uuid primary key,
  namespace     text collate "C" not null,
  name          text collate "C" not null,
  instance      text collate "C" not null,
  status        text collate "C" not null,
  seq           int not null,
  snapshot      json not null,
  node          uuid,
  slots         int not null,
  labels        jsonb not null,
  definitions   json not null,
  registered_at timestamptz not null,
  expires_at    timestamptz not null,
  unique (namespace, name)
) with (fillfactor = 50);
create index workers_alive on kantoku.workers (id) where status in ('serving', 'draining');

create table kantoku.definitions (
  namespace text collate "C" not null,
  name      text collate "C" not null,
  version   text collate "C" not null,
  policy    json not null,
  primary key (namespace, name, version)
);

create table kantoku.watches (
  task uuid not null,
  node uuid not null,
  primary key (task, node)
);

-- Epoch milliseconds by whole microseconds; to_timestamp() would round far instants down a millisecond.
create function kantoku.instant(ms float8) returns timestamptz language sql stable
  return timestamptz 'epoch' + ms * interval '1 millisecond';

-- A statement that merely touches nothing does not stop the ones pipelined behind it; this does.
create function kantoku.refuse(state text, reason text) returns void language plpgsql as $$
begin
  raise exception using errcode = state, message = reason;
end
$$;
`;
