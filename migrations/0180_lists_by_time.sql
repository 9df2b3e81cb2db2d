-- Lists are read in two parts, what has a time and what has none: an index without the latter serves both directions, and what has
-- no time yet costs nothing.
drop index dag_run_started;
drop index dag_run_dag_started;
create index dag_run_started on dag_run (started_at) where started_at is not null;
create index dag_run_dag_started on dag_run (dag_id, started_at) where started_at is not null;
create index dag_run_logical on dag_run (logical_date) where logical_date is not null;
create index dag_run_dag_logical on dag_run (dag_id, logical_date) where logical_date is not null;
-- What went wrong last. Most instances have no entry here.
create index task_instance_failed on task_instance (ended_at) where state = 'failed' and ended_at is not null;
