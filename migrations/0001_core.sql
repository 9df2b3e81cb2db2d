-- The tables of qflow's core. Times are the database's; states are Airflow's words (src/metadata/task-states.ts).

create table setting (
  key text primary key,
  value jsonb not null,
  updated_at timestamptz not null default now()
);
comment on table setting is 'Facts of this installation: instance id, epoch.';

create table bundle (
  hash text primary key,
  code text not null,
  source text not null,
  created_at timestamptz not null default now()
);
comment on table bundle is 'The evaluated ESM of a DAG file (sha-256 of its code) and the source it was made from.';

create table dag (
  dag_id text primary key,
  file text not null,
  version_id bigint,
  active boolean not null default true,
  paused boolean not null default true,
  owner text,
  tags text[] not null default '{}',
  doc text,
  max_active_runs integer not null check (max_active_runs > 0),
  catchup text not null check (catchup in ('none', 'latest', 'all')),
  schedule jsonb,
  -- Due time and data interval of the next scheduled run; null where no schedule gives one.
  next_run_after timestamptz,
  next_logical_date timestamptz,
  next_interval_start timestamptz,
  next_interval_end timestamptz,
  -- Whether the next run is still to be computed: the schedule is new or has changed.
  plan_pending boolean not null default true,
  -- Ticks up to here (logical date) are settled: run created, or skipped by the catchup policy.
  scheduled_until timestamptz,
  skipped_ticks bigint not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index dag_due on dag (next_run_after) where active and not paused and next_run_after is not null;
create index dag_plan on dag (dag_id) where active and plan_pending;
create index dag_file on dag (file);

create table dag_version (
  id bigint generated always as identity primary key,
  dag_id text not null references dag on delete cascade,
  number integer not null,
  bundle_hash text not null references bundle,
  spec_hash text not null,
  spec jsonb not null,
  max_active_tasks integer not null check (max_active_tasks > 0),
  created_at timestamptz not null default now(),
  unique (dag_id, number),
  unique (dag_id, spec_hash, bundle_hash)
);
alter table dag add foreign key (version_id) references dag_version (id) deferrable initially deferred;

create table task_def (
  version_id bigint not null references dag_version on delete cascade,
  task_index integer not null,
  task_id text not null,
  kind text not null check (kind in ('function', 'map', 'branch', 'shortCircuit', 'operator')),
  -- Who runs it: a warm runner, or the asynchronous host.
  lane text not null check (lane in ('function', 'operator')),
  -- Whether it expands into one instance an item of the array of task map_over_index.
  map_over_index integer,
  operator jsonb,
  inputs jsonb not null default '{}',
  -- Tasks whose value this one reads: inputs, and outputs named by tokens of the operator's config.
  value_indexes integer[] not null default '{}',
  branch_targets jsonb not null default '{}',
  rule text not null,
  upstream_count integer not null,
  is_leaf boolean not null,
  retries integer not null,
  retry_delay_ms bigint not null,
  retry_factor double precision not null,
  retry_max_ms bigint not null,
  retry_jitter text not null check (retry_jitter in ('none', 'full')),
  timeout_ms bigint,
  pool text not null,
  pool_slots integer not null check (pool_slots > 0),
  priority integer not null,
  max_active integer,
  emits text[] not null default '{}',
  primary key (version_id, task_index),
  unique (version_id, task_id)
);

create table task_edge (
  version_id bigint not null references dag_version on delete cascade,
  upstream_index integer not null,
  downstream_index integer not null,
  primary key (version_id, upstream_index, downstream_index)
);
create index task_edge_downstream on task_edge (version_id, downstream_index);

create table import_error (
  file text primary key,
  code text not null,
  message text not null,
  remedy text not null,
  line integer,
  "column" integer,
  at timestamptz not null default now()
);

create table dag_run (
  id bigint generated always as identity primary key,
  dag_id text not null references dag on delete cascade,
  run_id text not null,
  version_id bigint not null references dag_version,
  kind text not null check (kind in ('scheduled', 'manual', 'dataset', 'backfill')),
  state text not null default 'queued' check (state in ('queued', 'running', 'success', 'failed')),
  logical_date timestamptz,
  interval_start timestamptz,
  interval_end timestamptz,
  run_after timestamptz not null default now(),
  conf jsonb not null default '{}',
  -- conf laid over the defaults of the version's params.
  params jsonb not null default '{}',
  -- Task instances that have not ended; 0 ends the run.
  unfinished integer not null default 0,
  cancel_requested_at timestamptz,
  queued_at timestamptz not null default now(),
  started_at timestamptz,
  ended_at timestamptz,
  triggered_by text not null,
  note text,
  unique (dag_id, run_id)
) with (fillfactor = 80);
-- Exactly one scheduled run a tick, whoever creates it.
create unique index dag_run_tick on dag_run (dag_id, logical_date) where kind = 'scheduled';
create index dag_run_active on dag_run (dag_id, id) where state in ('queued', 'running');
create index dag_run_recent on dag_run (dag_id, id desc);
create index dag_run_ended on dag_run (ended_at) where ended_at is not null;

create table worker (
  worker_id uuid primary key default uuidv7(),
  host_id text not null,
  pid integer not null,
  -- Start of the process as the kernel tells it; guards against a reused pid.
  pid_started_at text not null,
  marker text not null,
  state text not null default 'active' check (state in ('active', 'draining', 'ended', 'lost')),
  started_at timestamptz not null default now(),
  heartbeat_at timestamptz not null default now(),
  lease_expires_at timestamptz not null,
  ended_at timestamptz
) with (fillfactor = 50);
comment on table worker is 'One row a worker session; its lease covers every attempt it runs.';
create index worker_live on worker (host_id) where state in ('active', 'draining');

create table pool (
  name text primary key,
  slots integer not null check (slots >= 0),
  description text not null default ''
);
insert into pool (name, slots, description) values
  ('default_pool', 128, 'Every task that names no pool.'),
  ('spark', 1, 'Spark applications: one driver at a time on one machine.');

create table task_instance (
  id bigint generated always as identity primary key,
  dag_run_id bigint not null references dag_run on delete cascade,
  version_id bigint not null,
  dag_id text not null,
  task_id text not null,
  task_index integer not null,
  -- -1 where the task is not mapped, or not expanded yet.
  map_index integer not null default -1,
  state text not null default 'none' check (state in ('none', 'queued', 'running', 'up_for_retry', 'success', 'failed',
    'skipped', 'upstream_failed')),
  rule text not null,
  -- Becomes one instance an item of an array as soon as its rule lets it run.
  expands boolean not null,
  -- Upstream instances: how many there are, and how many ended in which state while this one was undecided.
  up_total integer not null,
  up_success integer not null default 0,
  up_failed integer not null default 0,
  up_skipped integer not null default 0,
  up_upstream_failed integer not null default 0,
  lane text not null,
  pool text not null,
  pool_slots integer not null,
  priority integer not null,
  max_active integer,
  -- Number of the last attempt; strictly +1 with each.
  try_number integer not null default 0,
  -- Attempts that do not count against `retries`: infrastructure failures, and all before the last clear.
  uncounted_tries integer not null default 0,
  infra_failures integer not null default 0,
  attempt_id uuid,
  -- Why it is in this state, where that is not plain: cancelled, timeout, branch not chosen …
  reason text,
  -- When an instance that waits for its next try is due.
  wake_at timestamptz,
  queued_at timestamptz,
  started_at timestamptz,
  ended_at timestamptz,
  unique (dag_run_id, task_index, map_index)
) with (fillfactor = 70);
create index task_instance_queue on task_instance (pool, lane, priority desc, id) where state = 'queued';
create index task_instance_running on task_instance (pool) include (pool_slots, dag_run_id, dag_id, task_id) where state = 'running';
create index task_instance_wake on task_instance (wake_at) where state = 'up_for_retry';
create index task_instance_task on task_instance (dag_id, task_id, id desc);

create table map_item (
  task_instance_id bigint primary key references task_instance on delete cascade,
  value jsonb not null
);
comment on table map_item is 'The array item a mapped instance works on.';

create table task_attempt (
  attempt_id uuid primary key default uuidv7(),
  -- Fencing token: every write of the attempt carries it.
  token uuid not null default gen_random_uuid(),
  task_instance_id bigint not null references task_instance on delete cascade,
  dag_run_id bigint not null,
  try_number integer not null,
  worker_id uuid not null references worker,
  -- The claim call that made it, so that a call whose answer was lost can ask again.
  claim_id uuid not null,
  state text not null default 'running' check (state in ('running', 'success', 'failed', 'skipped')),
  -- Set when the attempt should end: the worker runs its kill ladder and reports.
  revoked text check (revoked in ('cancelled', 'timeout')),
  -- Whether somebody else than its worker ended it; its processes may still live.
  fenced boolean not null default false,
  error jsonb,
  handle jsonb,
  progress jsonb,
  started_at timestamptz not null default now(),
  ended_at timestamptz,
  deadline_at timestamptz,
  exit jsonb,
  unique (task_instance_id, try_number)
) with (fillfactor = 80);
create index task_attempt_live on task_attempt (worker_id) where state = 'running';
create index task_attempt_fenced on task_attempt (worker_id, ended_at) where fenced;
create index task_attempt_deadline on task_attempt (deadline_at) where state = 'running' and deadline_at is not null;

create table task_event (
  at timestamptz not null default clock_timestamp(),
  task_instance_id bigint not null,
  dag_run_id bigint not null,
  from_state text not null,
  to_state text not null,
  attempt_id uuid,
  reason text
) partition by range (at);
comment on table task_event is 'Every transition of every task instance, in order.';
create index task_event_run on task_event (dag_run_id, at);
create table task_event_default partition of task_event default;

create table xcom_blob (
  hash bytea primary key,
  value jsonb not null
);

create table xcom (
  task_instance_id bigint primary key references task_instance on delete cascade,
  value jsonb,
  -- Values above 64 KB are kept once a content.
  blob_hash bytea references xcom_blob,
  size integer not null,
  at timestamptz not null default now(),
  check ((value is null) <> (blob_hash is null))
);
create index xcom_blob_use on xcom (blob_hash) where blob_hash is not null;

create table log_chunk (
  attempt_id uuid not null,
  -- 1-based number of the first line in it.
  first_line integer not null,
  line_count integer not null,
  bytes integer not null,
  codec text not null check (codec in ('plain', 'zstd')),
  data bytea not null,
  primary key (attempt_id, first_line)
) partition by range (attempt_id);
comment on table log_chunk is 'Numbered log lines of an attempt; attempt ids are UUIDv7, so a range of them is a range of time.';
create table log_chunk_default partition of log_chunk default;

create table dataset_event (
  id bigint generated always as identity primary key,
  dataset text not null,
  key text not null,
  extra jsonb not null default 'null',
  at timestamptz not null default now(),
  task_instance_id bigint,
  attempt_id uuid,
  unique (dataset, key)
);
comment on table dataset_event is 'Append-only. Ids are given under one lock, so they commit in their order and a cursor loses none.';
create index dataset_event_waiting on dataset_event (dataset, id);

create table dataset_cursor (
  dag_id text not null references dag on delete cascade,
  dataset text not null,
  -- Events up to this id are consumed.
  event_id bigint not null,
  primary key (dag_id, dataset)
);

create table dag_run_event (
  dag_run_id bigint not null references dag_run on delete cascade,
  event_id bigint not null references dataset_event,
  primary key (dag_run_id, event_id)
);
comment on table dag_run_event is 'The dataset events that started a run.';
