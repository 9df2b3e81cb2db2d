-- Storing compiled DAGs.

-- Stores a version with its tasks and edges unless the same spec and bundle are there; returns its id. The caller holds the
-- lock of the dag row.
create function store_version(p_dag text, p_spec jsonb, p_spec_hash text, p_bundle text, p_tasks jsonb) returns bigint
language plpgsql as $$
declare
  version bigint;
begin
  select id into version from dag_version where dag_id = p_dag and spec_hash = p_spec_hash and bundle_hash = p_bundle
    for key share;
  if version is not null then
    return version;
  end if;
  insert into dag_version (dag_id, number, bundle_hash, spec_hash, spec, deadline, max_active_tasks, run_timeout, concurrency)
  select p_dag, coalesce(max(number), 0) + 1, p_bundle, p_spec_hash, p_spec, p_spec -> 'deadline', (p_spec ->> 'maxActiveTasks')::integer,
    make_interval(secs => (p_spec ->> 'timeoutMs')::double precision / 1000), nullif(p_spec -> 'concurrency', 'null')
  from dag_version where dag_id = p_dag
  returning id into version;
  insert into task_def (version_id, task_index, task_id, kind, lane, map_over_index, operator, inputs, value_indexes, branch_targets,
    rule, role, upstream_count, gate_count, is_leaf, retries, retry_delay_ms, retry_factor, retry_max_ms, retry_jitter, timeout_ms, pool, pool_slots,
    priority, max_active, queue, concurrency, deadline, emits, sensor, retry_policy, queue_timeout, start_timeout)
  select version, t.task_index, t.task_id, t.kind, t.lane, t.map_over_index, t.operator, t.inputs, t.value_indexes, t.branch_targets,
    t.rule, t.role, t.upstream_count, t.gate_count, t.is_leaf, t.retries, t.retry_delay_ms, t.retry_factor, t.retry_max_ms, t.retry_jitter, t.timeout_ms,
    t.pool, t.pool_slots, t.priority, t.max_active, t.queue, t.concurrency, t.deadline, t.emits, t.sensor, nullif(t.retry_policy, 'null'),
    t.queue_timeout, t.start_timeout
  from jsonb_populate_recordset(null::task_def, p_tasks) t;
  insert into notify_rule (version_id, event, channel)
  select version, e, c from jsonb_array_elements(p_spec -> 'notify') n
  cross join jsonb_array_elements_text(n -> 'on') e cross join jsonb_array_elements_text(n -> 'to') c
  on conflict do nothing;
  insert into task_edge (version_id, upstream_index, downstream_index, per_item)
  select version, i::integer, (t ->> 'task_index')::integer, coalesce(i = t ->> 'follows_index', false)
  from jsonb_array_elements(p_tasks) t cross join jsonb_array_elements_text(t -> 'upstream_indexes') i;
  insert into task_gate (version_id, gate_index, task_index, per_item)
  select version, i::integer, (t ->> 'task_index')::integer, coalesce(i = t ->> 'follows_index', false)
  from jsonb_array_elements(p_tasks) t cross join jsonb_array_elements_text(t -> 'gate_indexes') i;
  return version;
end
$$;
