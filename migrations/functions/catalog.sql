-- Reading the catalog.

-- The newest writes of a dataset by tasks, at most p_limit a source: as runs reported them; only where none ever did, the successes
-- of tasks that declare to emit it.
create function catalog_writes(p_dataset_id bigint, p_limit integer)
returns table (attempt_id uuid, at timestamptz, row_count bigint, byte_count bigint)
language sql stable as $$
  select distinct on (w.attempt_id) w.attempt_id, w.at, w.row_count, w.byte_count
  from (
    (select r.attempt_id, o.at, o.row_count, o.byte_count
       from lineage_io o join lineage_run r on r.run_id = o.run_id
      where o.dataset_id = p_dataset_id and o.direction = 'out' and r.attempt_id is not null
      order by o.at desc limit p_limit)
    union all
    select i.attempt_id, i.ended_at, null, null
      from catalog_edge e
      join catalog_job j on j.job_id = e.source and j.dag_id is not null
      cross join lateral (
        select t.attempt_id, t.ended_at from task_instance t
         where t.dag_id = j.dag_id and t.task_id = j.task_id and t.state = 'success' order by t.id desc limit p_limit) i
     where e.target = p_dataset_id and e.declared and i.attempt_id is not null
       and not exists (
         select from lineage_io o join lineage_run r on r.run_id = o.run_id
          where o.dataset_id = p_dataset_id and o.direction = 'out' and r.attempt_id is not null)
  ) w
  order by w.attempt_id, w.row_count desc nulls last, w.at desc
$$;

-- The columns of a dataset as they are now: the metastore's word before what jobs wrote before what jobs read, the newest of it.
create function catalog_columns(p_dataset_id bigint) returns jsonb
language sql stable as $$
  select s.columns from catalog_schema s where s.dataset_id = p_dataset_id
   order by array_position(array['hive', 'output', 'input'], s.source), s.last_seen_at desc, s.digest limit 1
$$;
