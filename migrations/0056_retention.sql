-- What retention and other upkeep need.

-- Who does what only one of many processes may do. Time is the database's.
create table leader_lease (
  name text primary key,
  holder uuid not null,
  elected_at timestamptz not null default now(),
  expires_at timestamptz not null
) with (fillfactor = 50);
comment on table leader_lease is 'One row a singleton: who has it, until when unless renewed.';

-- Counts of what happened, for /metrics; only rare things are counted here.
create table metric_counter (
  name text primary key,
  value bigint not null default 0
) with (fillfactor = 50);

-- When something was last put to use: what was just used is not removed before its user has committed.
alter table xcom_blob add column used_at timestamptz not null default now();
alter table bundle add column used_at timestamptz not null default now();

-- Sessions are removed before the attempts they ran where these are kept for longer.
alter table task_attempt drop constraint task_attempt_worker_id_fkey;
create index worker_ended on worker (ended_at) where ended_at is not null;

-- Oldest ended runs of a DAG.
create index dag_run_prunable on dag_run (dag_id, ended_at) where ended_at is not null;
-- Who still uses a version, a bundle, an event.
create index dag_run_version on dag_run (version_id);
create index dag_version_bundle on dag_version (bundle_hash);
create index dag_run_event_event on dag_run_event (event_id);
create index dataset_waiting_event on dataset_waiting (event_id);
create index dataset_event_at on dataset_event using brin (at) with (pages_per_range = 16, autosummarize = on);
create index lineage_io_at on lineage_io using brin (at) with (pages_per_range = 16, autosummarize = on);
create index lineage_run_at on lineage_run using brin (event_at) with (pages_per_range = 16, autosummarize = on);

-- Rows of these tables change many times in their short active life: cleaned up after few dead rows, whatever their size.
alter table task_instance set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000,
  autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 1);
alter table task_attempt set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000,
  autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 1);
alter table dag_run set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
  autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 1);
alter table worker set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);
alter table dag set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
alter table leader_lease set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50);
alter table metric_counter set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50);
alter table setting set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50);
alter table xcom set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
