-- Deadlines of runs and task instances: a row each while it can still be met or missed.

-- {"afterMs", "from": "runStart" | "queued" | "logicalDate", "notify": [connection]}; null = none.
alter table dag_version add column deadline jsonb;
alter table task_def add column deadline jsonb;
alter table task_instance add column deadline jsonb;

create table deadline (
  dag_run_id bigint not null references dag_run on delete cascade,
  -- Null = the run's own.
  task_instance_id bigint references task_instance on delete cascade,
  due_at timestamptz not null,
  -- When it was found missed; it fires once.
  fired_at timestamptz,
  unique nulls not distinct (dag_run_id, task_instance_id)
);
create index deadline_due on deadline (due_at) where fired_at is null;
create index deadline_instance on deadline (task_instance_id) where task_instance_id is not null;
