-- Pages of runs in the order of a time, and of what went wrong: read up to the page instead of all that there ever was. None of
-- them is written again while the tasks of a run go on.
create index dag_run_after on dag_run (run_after);
create index dag_run_dag_after on dag_run (dag_id, run_after);
create index dag_run_started on dag_run (started_at desc nulls last);
create index dag_run_dag_started on dag_run (dag_id, started_at desc nulls last);
create index dag_run_failed on dag_run (id) where state = 'failed';
-- Most instances end well, and have no entry here.
create index task_instance_troubled on task_instance (dag_run_id, task_index, map_index)
  where state in ('failed', 'upstream_failed', 'skipped', 'removed');
