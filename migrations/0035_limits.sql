-- Queues of workers, keyed concurrency, backfills, and whose turn it is.

alter table task_def
  add column queue text not null default 'default',
  -- {"key": text or token, "limit": n}: at most n running instances a value of the key, over all runs of the DAG.
  add column concurrency jsonb;

-- The same for runs.
alter table dag_version add column concurrency jsonb;

alter table worker add column queues text[] not null default '{default}';

create table backfill (
  id bigint generated always as identity primary key,
  dag_id text not null references dag on delete cascade,
  -- What was asked for; a list of dates has none.
  from_date timestamptz,
  to_date timestamptz,
  reprocess text not null check (reprocess in ('missing', 'failed', 'all')),
  reverse boolean not null default false,
  max_active_runs integer not null check (max_active_runs > 0),
  conf jsonb not null default '{}',
  paused boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  completed_at timestamptz,
  cancelled boolean not null default false,
  created_by text not null
);
comment on table backfill is 'Runs of past logical dates, made one after another beside the live ones.';
create index backfill_active on backfill (dag_id) where completed_at is null;

create table backfill_date (
  backfill_id bigint not null references backfill on delete cascade,
  -- In the order in which the dates are done.
  position integer not null,
  logical_date timestamptz not null,
  interval_start timestamptz not null,
  interval_end timestamptz not null,
  -- Null while nothing was decided about the date.
  outcome text check (outcome in ('created', 'exists', 'in_flight', 'scheduled', 'cancelled')),
  primary key (backfill_id, position)
);
create index backfill_date_pending on backfill_date (backfill_id, position) where outcome is null;

alter table dag_run
  add column backfill_id bigint references backfill on delete set null,
  add column concurrency_key text,
  add column concurrency_limit integer;
create index dag_run_backfill on dag_run (backfill_id, id) where backfill_id is not null;

alter table task_instance
  add column queue text not null default 'default',
  add column backfill boolean not null default false,
  add column concurrency_key text,
  add column concurrency_limit integer,
  -- Order of the claim, ascending: backfills after everything else, then by priority.
  add column rank bigint not null generated always as (case when backfill then 4294967296 else 0 end - priority) stored;

-- The claim jumps from pool to pool, DAG to DAG, run to run and task to task: what a limit holds back is never read row by row.
drop index task_instance_queue;
create index task_instance_queue on task_instance (lane, pool, queue, rank, dag_id, dag_run_id, task_index, id) where state = 'queued';
drop index task_instance_running;
create index task_instance_running on task_instance (pool) include (pool_slots) where state = 'running';
create index task_instance_running_run on task_instance (dag_run_id) where state = 'running';
create index task_instance_running_task on task_instance (dag_id, task_id) where state = 'running' and max_active is not null;
create index task_instance_running_key on task_instance (dag_id, concurrency_key) where state = 'running' and concurrency_key is not null;

create table claim_turn (
  lane text not null,
  pool text not null,
  queue text not null,
  -- Empty: `last` is the DAG served last; otherwise the run of this DAG.
  dag_id text not null,
  last text not null,
  served_at timestamptz not null,
  primary key (lane, pool, queue, dag_id)
) with (fillfactor = 50);
comment on table claim_turn is 'Who was served last where several waited for the same slots; the next claim goes on behind it.';
