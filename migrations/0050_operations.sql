-- What people do to runs: a task that a run's newer version does not have any more is kept as `removed`; audited calls that
-- failed; notes on task instances. Which states may follow which is the guard's (functions/states.sql); here are Airflow's words.
alter table task_instance drop constraint task_instance_state_check;
alter table task_instance add constraint task_instance_state_check check (state in ('none', 'scheduled', 'queued', 'running',
  'up_for_retry', 'up_for_reschedule', 'deferred', 'success', 'failed', 'skipped', 'upstream_failed', 'removed'));
alter table task_instance add column note text;
-- The error's code; null = the change was made.
alter table audit_log add column error text;
