-- What the end of task instances does to the rest of their runs. Callers hold the lock of the runs.

-- Counts ended instances into their undecided downstream, decides these, and goes on with those that this ended.
-- `expand` are map tasks whose rule lets them run.
create function count_down(p_ended bigint[], out ended bigint[], out queued integer, out expand bigint[])
language sql as $$
  with delta as (
    select f.dag_run_id, e.downstream_index,
      count(*) filter (where f.state = 'success')::integer as success,
      count(*) filter (where f.state = 'failed')::integer as failed,
      count(*) filter (where f.state = 'skipped')::integer as skipped,
      count(*) filter (where f.state = 'upstream_failed')::integer as upstream_failed
    from task_instance f
    join task_edge e on e.version_id = f.version_id and e.upstream_index = f.task_index
    where f.id = any (p_ended)
    group by f.dag_run_id, e.downstream_index
  ), counted as (
    select t.id, t.expands, t.up_success + d.success as success, t.up_failed + d.failed as failed,
      t.up_skipped + d.skipped as skipped, t.up_upstream_failed + d.upstream_failed as upstream_failed,
      decide(t.rule, t.up_total, t.up_success + d.success, t.up_failed + d.failed, t.up_skipped + d.skipped,
        t.up_upstream_failed + d.upstream_failed) as decision
    from delta d
    join task_instance t on t.dag_run_id = d.dag_run_id and t.task_index = d.downstream_index and t.state = 'none'
  ), moved as (
    update task_instance t set
      up_success = c.success, up_failed = c.failed, up_skipped = c.skipped, up_upstream_failed = c.upstream_failed,
      state = case when c.decision = 'queued' and t.expands then 'none' else c.decision end,
      queued_at = case when c.decision = 'queued' and not t.expands then now() end,
      ended_at = case when c.decision in ('skipped', 'upstream_failed') then now() end,
      reason = case c.decision when 'skipped' then 'the trigger rule' when 'upstream_failed' then 'an upstream failed' end
    from counted c
    where t.id = c.id
    returning t.id, t.dag_run_id, t.state, t.reason, c.decision, t.expands
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
    select id, dag_run_id, 'none', state, reason from moved where state <> 'none'
  )
  select coalesce(array_agg(id) filter (where state in ('skipped', 'upstream_failed')), '{}'),
    (count(*) filter (where state = 'queued'))::integer,
    coalesce(array_agg(id) filter (where state = 'none' and decision = 'queued'), '{}')
  from moved
$$;

-- The array a map task maps over; null where its upstream gave none.
create function mapped_over(p_id bigint) returns jsonb language sql stable as $$
  select case
    when bool_or(u.map_index >= 0) then jsonb_agg(coalesce(x.value, b.value, 'null') order by u.map_index)
    else (array_agg(coalesce(x.value, b.value)))[1]
  end
  from task_instance t
  join task_def d on d.version_id = t.version_id and d.task_index = t.task_index
  join task_instance u on u.dag_run_id = t.dag_run_id and u.task_index = d.map_over_index and u.state = 'success'
  left join xcom x on x.task_instance_id = u.id
  left join xcom_blob b on b.hash = x.blob_hash
  where t.id = p_id
$$;

-- Turns one map task into an instance an item: the waiting row becomes item 0. An empty array skips it.
create function expand_map(p_id bigint, out ended bigint[], out queued integer) language plpgsql as $$
declare
  items jsonb := mapped_over(p_id);
  n integer := case when jsonb_typeof(items) = 'array' then jsonb_array_length(items) end;
begin
  ended := '{}';
  queued := coalesce(n, 0);
  if queued = 0 then
    with moved as (
      update task_instance set state = case when n = 0 then 'skipped' else 'failed' end, ended_at = now(),
        reason = case when n = 0 then 'nothing to map over' else 'what it maps over is not an array' end
      where id = p_id
      returning id, dag_run_id, state, reason
    )
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
    select id, dag_run_id, 'none', state, reason from moved;
    ended := array[p_id];
    return;
  end if;
  with first as (
    update task_instance set map_index = 0, state = 'queued', expands = false, queued_at = now() where id = p_id returning *
  ), rest as (
    insert into task_instance (dag_run_id, version_id, dag_id, task_id, task_index, map_index, state, rule, expands,
      up_total, up_success, up_failed, up_skipped, up_upstream_failed, lane, pool, pool_slots, priority, max_active, queued_at)
    select dag_run_id, version_id, dag_id, task_id, task_index, i, 'queued', rule, false,
      up_total, up_success, up_failed, up_skipped, up_upstream_failed, lane, pool, pool_slots, priority, max_active, now()
    from first, generate_series(1, n - 1) i
    returning id, dag_run_id, map_index
  ), instance as (
    select id, dag_run_id, map_index from first union all select id, dag_run_id, map_index from rest
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state)
    select id, dag_run_id, 'none', 'queued' from instance
  ), item as (
    insert into map_item (task_instance_id, value)
    select id, items -> map_index from instance
  ), downstream as (
    update task_instance d set up_total = d.up_total + n - 1
    from first f
    join task_edge e on e.version_id = f.version_id and e.upstream_index = f.task_index
    where d.dag_run_id = f.dag_run_id and d.task_index = e.downstream_index and d.state = 'none'
  )
  update dag_run r set unfinished = r.unfinished + n - 1 from first f where r.id = f.dag_run_id;
end
$$;

-- How a run ends: by its leaves, as in Airflow.
create function final_state(p_run bigint) returns text language sql stable as $$
  select case when exists (
    select from task_instance t
    join task_def d on d.version_id = t.version_id and d.task_index = t.task_index
    where t.dag_run_id = p_run and d.is_leaf and t.state in ('failed', 'upstream_failed')
  ) then 'failed' else 'success' end
$$;

-- Everything that follows from the end of the given instances: downstream decisions, expansions, ends of runs.
-- `queued` = instances that became ready; `closed` = runs that ended.
create function propagate(p_ended bigint[], out queued integer, out closed integer) language plpgsql as $$
declare
  fresh bigint[] := p_ended;
  every_end bigint[] := p_ended;
  step record;
  one bigint;
  mapped record;
begin
  queued := 0;
  while cardinality(fresh) > 0 loop
    select * into step from count_down(fresh);
    fresh := step.ended;
    queued := queued + step.queued;
    foreach one in array step.expand loop
      select * into mapped from expand_map(one);
      fresh := fresh || mapped.ended;
      queued := queued + mapped.queued;
    end loop;
    every_end := every_end || fresh;
  end loop;
  with gone as (
    select dag_run_id, count(*)::integer as n from task_instance where id = any (every_end) group by dag_run_id
  ), counted as (
    update dag_run r set unfinished = r.unfinished - g.n,
      state = case when r.unfinished > g.n then r.state when r.cancel_requested_at is not null then 'failed' else final_state(r.id) end,
      ended_at = case when r.unfinished = g.n then now() end
    from gone g
    where r.id = g.dag_run_id
    returning r.unfinished
  )
  select count(*) filter (where unfinished = 0) into closed from counted;
end
$$;
