-- Storing compiled DAGs.

-- Stores a version with its tasks and edges unless the same spec and bundle are there; returns its id. The caller holds the
-- lock of the dag row.
create function store_version(p_dag text, p_spec jsonb, p_spec_hash text, p_bundle text, p_tasks jsonb) returns bigint
language plpgsql as $$
declare
  version bigint;
begin
  select id into version from dag_version where dag_id = p_dag and spec_hash = p_spec_hash and bundle_hash = p_bundle;
  if version is not null then
    return version;
  end if;
  insert into dag_version (dag_id, number, bundle_hash, spec_hash, spec, max_active_tasks)
  select p_dag, coalesce(max(number), 0) + 1, p_bundle, p_spec_hash, p_spec, (p_spec ->> 'maxActiveTasks')::integer
  from dag_version where dag_id = p_dag
  returning id into version;
  insert into task_def (version_id, task_index, task_id, kind, lane, map_over_index, operator, inputs, value_indexes, branch_targets,
    rule, upstream_count, is_leaf, retries, retry_delay_ms, retry_factor, retry_max_ms, retry_jitter, timeout_ms, pool, pool_slots,
    priority, max_active, emits)
  select version, t.task_index, t.task_id, t.kind, t.lane, t.map_over_index, t.operator, t.inputs, t.value_indexes, t.branch_targets,
    t.rule, t.upstream_count, t.is_leaf, t.retries, t.retry_delay_ms, t.retry_factor, t.retry_max_ms, t.retry_jitter, t.timeout_ms,
    t.pool, t.pool_slots, t.priority, t.max_active, t.emits
  from jsonb_populate_recordset(null::task_def, p_tasks) t;
  insert into task_edge (version_id, upstream_index, downstream_index)
  select version, u.i, (t ->> 'task_index')::integer
  from jsonb_array_elements(p_tasks) t cross join lateral (select i::integer from jsonb_array_elements_text(t -> 'upstream_indexes') i) u;
  return version;
end
$$;
