-- Waits: task instances that wait for something outside hold a row, and neither a process nor a slot of a pool.

alter table task_def drop constraint task_def_kind_check;
alter table task_def add constraint task_def_kind_check check (kind in ('function', 'map', 'branch', 'shortCircuit', 'operator', 'sensor'));
-- Lane `wait` has no worker: the scheduler takes what is queued there.
alter table task_def drop constraint task_def_lane_check;
alter table task_def add constraint task_def_lane_check check (lane in ('function', 'operator', 'wait'));
-- How a sensor is asked: {"everyMs", "factor", "maxMs", "onTimeout"}; null for other tasks.
alter table task_def add column sensor jsonb;

alter table task_instance drop constraint task_instance_state_check;
alter table task_instance add constraint task_instance_state_check check (state in ('none', 'scheduled', 'queued', 'running',
  'up_for_retry', 'up_for_reschedule', 'deferred', 'success', 'failed', 'skipped', 'upstream_failed', 'removed'));
create index task_instance_wait_queue on task_instance (id) where state = 'queued' and lane = 'wait';
create index task_instance_poke on task_instance (wake_at) where state = 'up_for_reschedule';

-- An attempt that waits is no worker's.
alter table task_attempt alter column worker_id drop not null;
alter table task_attempt drop constraint task_attempt_state_check;
alter table task_attempt add constraint task_attempt_state_check check (state in ('running', 'deferred', 'up_for_reschedule', 'success',
  'failed', 'skipped'));
-- A sensor's function is called many times in one attempt: how often it said "not yet", and the token of the call before this one.
alter table task_attempt add column polls integer not null default 0;
alter table task_attempt add column previous_token uuid;

create table task_wait (
  task_instance_id bigint primary key references task_instance on delete cascade,
  attempt_id uuid not null,
  -- The sensor that says whether it is met.
  kind text not null,
  -- What is waited for, references resolved; null until that is done.
  condition jsonb,
  -- What wakes it: a dataset or a DAG, where events do.
  key text,
  -- What its checks use (a server, the file system), so that one that is slow does not take every place.
  resource text,
  wake_at timestamptz not null default now(),
  deadline timestamptz not null,
  -- The check under way; a wake-up meanwhile takes it away, and the answer of that check is not kept.
  lease uuid,
  polls integer not null default 0,
  -- What the last check saw, and how many lines the attempt's log has.
  note text,
  log_lines integer not null default 0
) with (fillfactor = 70);
comment on table task_wait is 'What each deferred task instance waits for; a row while it does.';
create index task_wait_due on task_wait (wake_at);
create index task_wait_key on task_wait (kind, key);

create table approval (
  attempt_id uuid primary key,
  task_instance_id bigint not null references task_instance on delete cascade,
  subject text not null,
  body text not null default '',
  -- Least role that may answer.
  role text not null,
  -- How the task ends when it is rejected.
  on_reject text not null check (on_reject in ('fail', 'skip')),
  asked_at timestamptz not null default now(),
  chosen text check (chosen in ('approve', 'reject')),
  answered_by text,
  answered_at timestamptz,
  note text
);
comment on table approval is 'What people are asked by tasks, and what they answered.';
create index approval_task on approval (task_instance_id);
create index approval_open on approval (asked_at) where answered_at is null;
