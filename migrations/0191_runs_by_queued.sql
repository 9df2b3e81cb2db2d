-- The last order of runs that read all there ever were. Written once a run.
create index dag_run_queued on dag_run (queued_at);
create index dag_run_dag_queued on dag_run (dag_id, queued_at);
