-- What the end of task instances does to the rest of their runs. Callers hold the lock of the runs.

-- The state a teardown goes to when all its upstreams have ended: it runs where one of its setups succeeded.
create function decide_teardown(p_run bigint, p_version bigint, p_index integer) returns text language sql stable as $$
  select case
    when count(*) = 0 or bool_or(u.state = 'success') then 'queued'
    when bool_and(u.state = 'skipped') then 'skipped'
    else 'upstream_failed'
  end
  from task_edge e
  join task_def d on d.version_id = e.version_id and d.task_index = e.upstream_index and d.role = 'setup'
  join task_instance u on u.dag_run_id = p_run and u.task_index = e.upstream_index
  where e.version_id = p_version and e.downstream_index = p_index
$$;

-- Counts ended instances into their undecided downstream, decides these and the given undecided ones, as far as that can be.
-- `ended` = those that this ended, `expand` = map tasks whose rule lets them run, `items` = instances whose map's window has
-- changed.
create function count_down(p_ended bigint[], p_undecided bigint[], out ended bigint[], out queued integer, out expand bigint[],
  out items bigint[]) language sql as $$
  with delta as (
    select f.dag_run_id, e.task_index, case when e.per_item then f.map_index end as item,
      (count(*) filter (where f.state = 'success' and not e.is_gate))::integer as success,
      (count(*) filter (where f.state = 'failed' and not e.is_gate))::integer as failed,
      (count(*) filter (where f.state = 'skipped' and not e.is_gate))::integer as skipped,
      (count(*) filter (where f.state = 'upstream_failed' and not e.is_gate))::integer as upstream_failed,
      (count(*) filter (where e.is_gate))::integer as gates
    from task_instance f
    cross join lateral (
      select downstream_index as task_index, per_item, false as is_gate from task_edge
      where version_id = f.version_id and upstream_index = f.task_index
      union all
      select task_index, per_item, true from task_gate where version_id = f.version_id and gate_index = f.task_index
    ) e
    where f.id = any (p_ended)
    group by 1, 2, 3
  ), touched as (
    select t.id, d.success, d.failed, d.skipped, d.upstream_failed, d.gates
    from delta d
    -- Of each by itself: joined, they may be found by reading every instance there is.
    cross join lateral (
      select t.id from task_instance t
      where t.dag_run_id = d.dag_run_id and t.task_index = d.task_index
        and t.map_index between coalesce(d.item, -1) and coalesce(d.item, 2147483647) and t.state = 'none' offset 0) t
    union all
    select id, 0, 0, 0, 0, 0 from unnest(p_undecided) id
  ), counted as (
    select t.id, t.dag_run_id, t.version_id, t.task_index, t.rule, t.up_total, (t.up_success + sum(d.success))::integer as success,
      (t.up_failed + sum(d.failed))::integer as failed, (t.up_skipped + sum(d.skipped))::integer as skipped,
      (t.up_upstream_failed + sum(d.upstream_failed))::integer as upstream_failed, (t.gates_open - sum(d.gates))::integer as gates
    from touched d
    join task_instance t on t.id = d.id and t.state = 'none'
    group by t.id
  ), decided as materialized (
    select c.*, case
      when gates > 0 then 'none'
      when rule <> 'all_done_setup_success' then decide(rule, up_total, success, failed, skipped, upstream_failed)
      when success + failed + skipped + upstream_failed < up_total then 'none'
      else decide_teardown(dag_run_id, version_id, task_index)
    end as decision
    from counted c
  ), moved as (
    update task_instance t set
      up_success = c.success, up_failed = c.failed, up_skipped = c.skipped, up_upstream_failed = c.upstream_failed, gates_open = c.gates,
      state = case when c.decision <> 'queued' then c.decision when t.expands then 'none' when t.map_index >= 0 then 'scheduled'
        else 'queued' end,
      queued_at = case when c.decision = 'queued' and not t.expands and t.map_index < 0 then now() end,
      ended_at = case when c.decision in ('skipped', 'upstream_failed') then now() end,
      reason = case c.decision when 'skipped' then 'the trigger rule' when 'upstream_failed' then 'an upstream failed' end
    from decided c
    where t.id = c.id and (p_ended <> '{}' or c.decision <> 'none')
    returning t.id, t.dag_run_id, t.state, t.reason, c.decision
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
    select id, dag_run_id, 'none', state, reason from moved where state <> 'none'
  )
  select coalesce(array_agg(id) filter (where state in ('skipped', 'upstream_failed')), '{}'),
    (count(*) filter (where state = 'queued'))::integer,
    coalesce(array_agg(id) filter (where state = 'none' and decision = 'queued'), '{}'),
    coalesce(array_agg(id) filter (where state = 'scheduled'), '{}')
      || array(select id from task_instance where id = any (p_ended) and map_index >= 0)
  from moved
$$;

-- Items of one map, in one run, that are queued or running at most: those that may run at once and as many that are next, so that
-- limits never starve while claiming never looks over thousands of instances that it may not take.
create function map_window(max_active integer, max_active_tasks integer) returns integer language sql immutable as $$
  select least(1024, at_once) + least(256, at_once) from (select least(max_active, max_active_tasks) as at_once) l
$$;

-- Queues scheduled items, in order, where the windows of the maps that the given instances belong to have room. Returns how many.
-- After the end of items a window is filled up now and then, since counting what is in it costs as much as it holds: at every so
-- many-th item, and when nothing of it is queued any more.
create function activate_items(p_ids bigint[]) returns integer language sql as $$
  with map as (
    select t.dag_run_id, t.task_index, map_window(t.max_active, v.max_active_tasks) as places,
      bool_or(t.state = 'scheduled' or t.map_index % greatest(1, map_window(t.max_active, v.max_active_tasks) / 20) = 0) as is_due
    from task_instance t join dag_version v on v.id = t.version_id where t.id = any (p_ids) and t.map_index >= 0
    group by 1, 2, 3
  ), room as (
    select m.dag_run_id, m.task_index, m.places - (
      select count(*) from task_instance a where a.dag_run_id = m.dag_run_id and a.task_index = m.task_index and a.map_index >= 0
        and a.state in ('queued', 'running', 'up_for_retry')) as places
    from map m
    where m.is_due or not exists (
      select from task_instance a where a.dag_run_id = m.dag_run_id and a.task_index = m.task_index and a.map_index >= 0
        and a.state = 'queued')
  ), moved as (
    update task_instance t set state = 'queued', queued_at = now()
    from room r cross join lateral (
      select s.id from task_instance s where s.dag_run_id = r.dag_run_id and s.task_index = r.task_index and s.state = 'scheduled'
      order by s.map_index limit greatest(r.places, 0)) s
    where t.id = s.id
    returning t.id, t.dag_run_id
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state)
    select id, dag_run_id, 'scheduled', 'queued' from moved
  )
  select count(*)::integer from moved
$$;

-- Maps that follow a map item by item, at any distance, and are not decided yet.
create function following_maps(p_run bigint, p_version bigint, p_index integer) returns integer[] language sql stable as $$
  with recursive following as (
    select e.downstream_index as task_index from task_edge e
    join task_instance t on t.dag_run_id = p_run and t.task_index = e.downstream_index and t.state = 'none' and t.expands
    where e.version_id = p_version and e.upstream_index = p_index and e.per_item
    union
    select e.downstream_index from following f
    join task_edge e on e.version_id = p_version and e.upstream_index = f.task_index and e.per_item
    join task_instance t on t.dag_run_id = p_run and t.task_index = e.downstream_index and t.state = 'none' and t.expands
  )
  select coalesce(array_agg(task_index), '{}') from following
$$;

-- Makes undecided map tasks `p_n` undecided instances each: the row that is there becomes item 0.
create function spread_maps(p_run bigint, p_version bigint, p_maps integer[], p_n integer) returns void language plpgsql as $$
begin
  -- What waits for all items of these maps waits for so many more.
  update task_instance d set up_total = d.up_total + c.more, gates_open = d.gates_open + c.gates
  from (
    select task_index, sum(more)::integer as more, sum(gates)::integer as gates from (
      select downstream_index as task_index, p_n - 1 as more, 0 as gates from task_edge
      where version_id = p_version and upstream_index = any (p_maps) and not per_item
      union all
      select task_index, 0, p_n - 1 from task_gate where version_id = p_version and gate_index = any (p_maps) and not per_item
    ) one group by task_index
  ) c
  where d.dag_run_id = p_run and d.task_index = c.task_index and d.state = 'none';
  update task_instance set map_index = 0, expands = false where dag_run_id = p_run and task_index = any (p_maps);
  -- Items of an earlier expansion come back with their tries.
  with returned as (
    update task_instance t set state = 'none', task_index = f.task_index, version_id = f.version_id, rule = f.rule, up_total = f.up_total,
      up_success = f.up_success, up_failed = f.up_failed, up_skipped = f.up_skipped, up_upstream_failed = f.up_upstream_failed,
      gates_open = f.gates_open, lane = f.lane, pool = f.pool, pool_slots = f.pool_slots, priority = f.priority, max_active = f.max_active,
      queue = f.queue, concurrency_key = f.concurrency_key, concurrency_limit = f.concurrency_limit, expands = false, ended_at = null,
      reason = null
    from task_instance f
    where f.dag_run_id = p_run and f.task_index = any (p_maps) and f.map_index = 0
      and t.dag_run_id = p_run and t.task_id = f.task_id and t.state = 'removed' and t.map_index between 1 and p_n - 1
    returning t.id
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state) select id, p_run, 'removed', 'none' from returned;
  insert into task_instance (dag_run_id, version_id, dag_id, task_id, task_index, map_index, rule, expands, up_total, up_success, up_failed,
    up_skipped, up_upstream_failed, gates_open, deadline, lane, pool, pool_slots, priority, max_active, queue, backfill, concurrency_key,
    concurrency_limit, queue_timeout, start_by)
  select dag_run_id, version_id, dag_id, task_id, task_index, i, rule, false, up_total, up_success, up_failed,
    up_skipped, up_upstream_failed, gates_open, deadline, lane, pool, pool_slots, priority, max_active, queue, backfill, concurrency_key,
    concurrency_limit, queue_timeout, start_by
  from task_instance, generate_series(1, p_n - 1) i
  where dag_run_id = p_run and task_index = any (p_maps) and map_index = 0
  on conflict (dag_run_id, task_index, map_index) do nothing;
  update dag_run set unfinished = unfinished + cardinality(p_maps) * (p_n - 1) where id = p_run;
end
$$;

-- Most items of one map, and most bytes of one item.
create function map_limit() returns integer language sql immutable as 'select 100000';
create function item_limit() returns integer language sql immutable as 'select 1048576';

-- Why a map cannot be made instances of, with the state it ends in; null where it can.
create function map_problem(items jsonb, out state text, out reason text) language plpgsql immutable as $$
declare
  large integer;
begin
  if items is null then
    state := 'upstream_failed';
    reason := 'what it maps over has no value';
  elsif jsonb_typeof(items) <> 'array' then
    state := 'failed';
    reason := 'what it maps over is not an array';
  elsif jsonb_array_length(items) = 0 then
    state := 'skipped';
    reason := 'nothing to map over';
  elsif jsonb_array_length(items) > map_limit() then
    state := 'failed';
    reason := format('what it maps over has %s items: more than %s', jsonb_array_length(items), map_limit());
  else
    select i into large from jsonb_array_elements(items) with ordinality item (value, i)
    where octet_length(value::text) > item_limit() limit 1;
    if large is not null then
      state := 'failed';
      reason := format('item %s of what it maps over is larger than %s bytes', large - 1, item_limit());
    end if;
  end if;
end
$$;

-- The value that a map task maps over; null where its upstream gave none.
create function mapped_over(p_id bigint) returns jsonb language sql stable as $$
  select coalesce(x.value, b.value, 'null')
  from task_instance t
  join task_def d on d.version_id = t.version_id and d.task_index = t.task_index
  join task_instance u on u.dag_run_id = t.dag_run_id and u.task_index = d.map_over_index and u.map_index < 0 and u.state = 'success'
  left join xcom x on x.task_instance_id = u.id
  left join xcom_blob b on b.hash = x.blob_hash
  where t.id = p_id
$$;

-- Turns a map task whose rule lets it run into an instance an item, and the maps that follow it too. A map over nothing is
-- skipped, over no array fails, and one that follows a map which did not run cannot either.
-- Thousands of items meet thousands of instances here: the one place where the plan of the call above would be quadratic.
create function expand_map(p_id bigint, out ended bigint[], out queued integer) language plpgsql set enable_hashjoin = on as $$
declare
  items jsonb := mapped_over(p_id);
  problem record;
  map task_instance;
begin
  ended := '{}';
  queued := 0;
  problem := map_problem(items);
  if problem.state is not null then
    with moved as (
      update task_instance t set state = problem.state, ended_at = now(), reason = problem.reason where t.id = p_id
      returning id, dag_run_id, t.state, t.reason
    )
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
    select id, dag_run_id, 'none', state, reason from moved;
    ended := array[p_id];
    return;
  end if;
  select * into map from task_instance where id = p_id;
  perform spread_maps(map.dag_run_id, map.version_id, map.task_index || following_maps(map.dag_run_id, map.version_id, map.task_index),
    jsonb_array_length(items));
  with moved as (
    update task_instance set state = 'scheduled' where dag_run_id = map.dag_run_id and task_index = map.task_index
    returning id, dag_run_id, map_index
  ), item as (
    insert into map_item (task_instance_id, value)
    select m.id, i.value from jsonb_array_elements(items) with ordinality i (value, position) join moved m on m.map_index = i.position - 1
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state)
  select id, dag_run_id, 'none', 'scheduled' from moved;
  queued := activate_items(array[p_id]);
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

-- Everything that follows from the end of instances, and what is to be decided about others: downstream decisions, expansions,
-- ends of runs. `queued` = instances that became ready; `closed` = runs that ended.
create function propagate(p_ended bigint[], p_undecided bigint[], out queued integer, out closed integer) language plpgsql as $$
declare
  fresh bigint[] := p_ended;
  undecided bigint[] := p_undecided;
  every_end bigint[] := p_ended;
  items bigint[] := '{}';
  step record;
  one bigint;
  mapped record;
  over bigint[];
begin
  queued := 0;
  while fresh <> '{}' or undecided <> '{}' loop
    step := count_down(fresh, undecided);
    undecided := '{}';
    fresh := step.ended;
    queued := queued + step.queued;
    items := items || step.items;
    foreach one in array step.expand loop
      mapped := expand_map(one);
      fresh := fresh || mapped.ended;
      queued := queued + mapped.queued;
    end loop;
    every_end := every_end || fresh;
  end loop;
  if items <> '{}' then
    queued := queued + activate_items(items);
  end if;
  with gone as (
    select dag_run_id, count(*)::integer as n from task_instance where id = any (every_end) group by dag_run_id
  ), counted as (
    update dag_run r set unfinished = r.unfinished - g.n from gone g where r.id = g.dag_run_id returning r.id, r.unfinished
  )
  select array_agg(id) filter (where unfinished = 0) into over from counted;
  closed := coalesce(cardinality(over), 0);
  if closed > 0 then
    update dag_run r set state = case when r.cancel_requested_at is not null then 'failed' else final_state(r.id) end, ended_at = now()
    where r.id = any (over);
  end if;
end
$$;
