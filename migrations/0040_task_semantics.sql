-- Gates, setup and teardown, mapped items that are activated in a window, maps that follow a map item by item.
alter table task_def
  add column role text not null default 'work' check (role in ('work', 'setup', 'teardown')),
  add column gate_count integer not null default 0;

-- A map over a map waits item by item: its instance i has the upstream's instance i alone as upstream.
alter table task_edge add column per_item boolean not null default false;

create table task_gate (
  version_id bigint not null references dag_version on delete cascade,
  gate_index integer not null,
  task_index integer not null,
  per_item boolean not null,
  primary key (version_id, gate_index, task_index)
);
create index task_gate_task on task_gate (version_id, task_index);
comment on table task_gate is 'Tasks that must have ended before another is decided, beyond what its rule waits for: branches and short circuits that may skip it, the array that it maps over.';

alter table task_instance
  add column gates_open integer not null default 0,
  -- What a branch chose, or false of a short circuit that stops the rest.
  add column decision jsonb;
alter table task_instance drop constraint task_instance_state_check;
alter table task_instance add constraint task_instance_state_check check (state in ('none', 'scheduled', 'queued', 'running',
  'up_for_retry', 'up_for_reschedule', 'deferred', 'success', 'failed', 'skipped', 'upstream_failed', 'removed'));
-- Items that may run and wait for their map's window; those in the window.
create index task_instance_scheduled on task_instance (dag_run_id, task_index, map_index) where state = 'scheduled';
create index task_instance_window on task_instance (dag_run_id, task_index)
  where map_index >= 0 and state in ('queued', 'running', 'up_for_retry');
