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

-- The newest events that services announced of a dataset, at most p_limit.
create function catalog_service_writes(p_dataset text, p_limit integer)
returns table (service_id text, attempt_number integer, at timestamptz, row_count bigint)
language sql stable as $$
  select a.service_id, a.number, e.at, nullif(e.extra ->> 'rows', '0')::bigint
  from dataset_event e join service_attempt a on a.attempt_id = e.attempt_id
  where e.dataset = p_dataset and e.task_instance_id is null
  order by e.id desc limit p_limit
$$;

-- Every schema that a dataset had, oldest first: its columns as the best source saw them (see catalog_columns), and what services told
-- of fields that no column holds, each time what was new.
create function catalog_schemas(p_dataset_id bigint)
returns table (at timestamptz, kind text, columns jsonb)
language sql stable as $$
  select s.first_seen_at, 'columns', s.columns from catalog_schema s
   where s.dataset_id = p_dataset_id and s.source = (
     select b.source from catalog_schema b where b.dataset_id = p_dataset_id
      order by array_position(array['hive', 'output', 'input'], b.source) limit 1)
  union all
  select f.first_seen_at, 'fields', jsonb_agg(jsonb_build_object('name', f.name, 'type', f.type) order by f.name, f.type)
    from catalog_dataset d join catalog_field f on f.dataset = d.name where d.dataset_id = p_dataset_id
   group by f.first_seen_at
  order by 1, 2
$$;
