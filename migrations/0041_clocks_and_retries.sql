-- Four clocks (queue, start, execution, run) as timers in the database, and retry policies by error.
alter table task_def
  -- Error code, class name or `*` → "retryable", "fatal", "infra" or {"afterMs"}.
  add column retry_policy jsonb,
  -- Longest time in state queued.
  add column queue_timeout interval,
  -- Longest time from the start of the run to the start of the first try.
  add column start_timeout interval;
create index task_def_start_timeout on task_def (version_id) where start_timeout is not null;

alter table dag_version add column run_timeout interval;

alter table dag_run
  add column timeout_at timestamptz,
  -- Why it ended otherwise than by its tasks.
  add column reason text;
create index dag_run_timeout on dag_run (timeout_at) where state = 'running' and timeout_at is not null and cancel_requested_at is null;

alter table task_instance
  add column queue_timeout interval,
  add column start_by timestamptz;
-- In UTC, as adding to a timestamptz depends on the session's time zone.
create index task_instance_queue_timeout on task_instance (((queued_at at time zone 'UTC') + queue_timeout))
  where state = 'queued' and queue_timeout is not null;
create index task_instance_start_by on task_instance (start_by)
  where state in ('none', 'scheduled', 'queued') and start_by is not null;
