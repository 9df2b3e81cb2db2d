-- What people do to runs and their task instances: cancel, clear, mark, bind to another version.

-- Asks a run to end: what has not started is skipped, what runs is revoked, and the run ends failed when the last of that has.
-- Teardowns still run; asked once more, these end too. Returns the number of running attempts that are to end. Null where the
-- run has ended already.
create function cancel_run(p_run bigint, p_reason text default 'cancelled') returns integer language plpgsql as $$
declare
  whole boolean;
  chosen bigint[];
  n integer;
begin
  select cancel_requested_at is not null or state = 'queued' into whole
  from dag_run where id = p_run and state in ('queued', 'running') for no key update; -- guard: cancel-lock, cancel-once
  if not found then
    return null;
  end if;
  update dag_run set cancel_requested_at = coalesce(cancel_requested_at, now()), reason = coalesce(reason, p_reason) where id = p_run;
  with moved as (
    update task_instance set state = 'skipped', reason = p_reason, ended_at = now(), wake_at = null
    where dag_run_id = p_run and state in ('none', 'scheduled', 'queued', 'up_for_retry', 'up_for_reschedule', 'deferred')
      and (whole or rule <> 'all_done_setup_success')
    returning id, dag_run_id, old.state as from_state
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
    select id, dag_run_id, from_state, 'skipped', p_reason from moved
  )
  select coalesce(array_agg(id), '{}') into chosen from moved;
  update task_attempt a set revoked = 'cancelled' from task_instance t
  where a.dag_run_id = p_run and a.state = 'running' and a.revoked is distinct from 'cancelled' and t.id = a.task_instance_id
    and (whole or t.rule <> 'all_done_setup_success');
  get diagnostics n = row_count;
  perform propagate(chosen, '{}');
  return n;
end
$$;

-- Puts map tasks that are done again whole back to one waiting row where the array that they map over is done again, too, and
-- the maps that follow those. Their other items leave the graph, with their tries, until the map has so many items again.
create function fold_maps(p_run bigint, p_ids bigint[]) returns void language sql as $$
  with recursive whole as (
    select t.task_index, d.map_over_index, bool_or(e.per_item) as follows
    from task_instance t
    join task_def d on d.version_id = t.version_id and d.task_index = t.task_index and d.map_over_index is not null
    join task_edge e on e.version_id = d.version_id and e.downstream_index = d.task_index and e.upstream_index = d.map_over_index
    where t.dag_run_id = p_run and t.map_index >= 0
    group by t.task_index, d.map_over_index having bool_and(t.id = any (p_ids))
  ), folded as (
    select w.task_index from whole w
    join task_instance u on u.dag_run_id = p_run and u.task_index = w.map_over_index and u.id = any (p_ids) and not w.follows
    union
    select w.task_index from folded f join whole w on w.map_over_index = f.task_index and w.follows
  ), item as (
    delete from map_item i using task_instance t, folded f
    where i.task_instance_id = t.id and t.dag_run_id = p_run and t.task_index = f.task_index
  ), extra as (
    select t.id, row_number() over (order by t.id) as position
    from task_instance t join folded f using (task_index) where t.dag_run_id = p_run and t.map_index > 0
  ), moved as (
    update task_instance t set state = 'removed', ended_at = now(), task_index = l.lowest - e.position
    from extra e, (select least(min(task_index), 0) as lowest from task_instance where dag_run_id = p_run) l
    where t.id = e.id
    returning t.id
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
    select id, p_run, 'none', 'removed', 'the map is done again' from moved
  )
  update task_instance t set map_index = -1, expands = true from folded f
  where t.dag_run_id = p_run and t.task_index = f.task_index and t.map_index = 0
$$;

-- Counts the upstreams of every undecided instance of a run anew.
create function recount_run(p_run bigint) returns void language sql as $$
  update task_instance t set up_total = c.total, up_success = c.success, up_failed = c.failed, up_skipped = c.skipped,
    up_upstream_failed = c.upstream_failed, gates_open = c.gates
  from (
    select w.id, count(u.id)::integer as total, (count(*) filter (where u.state = 'success'))::integer as success,
      (count(*) filter (where u.state = 'failed'))::integer as failed, (count(*) filter (where u.state = 'skipped'))::integer as skipped,
      (count(*) filter (where u.state = 'upstream_failed'))::integer as upstream_failed,
      (select count(*)::integer from task_gate g
       join task_instance u on u.dag_run_id = w.dag_run_id and u.task_index = g.gate_index and (not g.per_item or u.map_index = w.map_index)
       where g.version_id = w.version_id and g.task_index = w.task_index and not is_ended(u.state)) as gates
    from task_instance w
    left join task_edge e on e.version_id = w.version_id and e.downstream_index = w.task_index
    left join task_instance u on u.dag_run_id = w.dag_run_id and u.task_index = e.upstream_index
      and (not e.per_item or u.map_index = w.map_index)
    where w.dag_run_id = p_run and w.state = 'none'
    group by w.id
  ) c
  where t.id = c.id
$$;

-- States in which nothing more happens to an instance by itself.
create function is_ended(p_state text) returns boolean language sql immutable parallel safe as $$
  select p_state in ('success', 'failed', 'skipped', 'upstream_failed', 'removed')
$$;

-- Locks the dag and the run, in this order, for a change of the run's instances.
create function lock_run(p_run bigint) returns void language plpgsql as $$
begin
  perform from dag where dag_id = (select dag_id from dag_run where id = p_run) for no key update;
  perform from dag_run where id = p_run for no key update;
end
$$;

-- Makes instances undecided, whatever they are at: running attempts are fenced (their workers end them, and what they still
-- report changes nothing), what waits is taken back, what has ended is undone. Values are forgotten, attempts kept.
-- Returns the number of fenced attempts. The caller holds the run's lock.
create function withdraw_instances(p_run bigint, p_ids bigint[], p_reason text) returns integer language plpgsql as $$
declare
  fenced integer;
begin
  -- A claim under way is waited for: the statements after this one see what it made.
  perform from task_instance where id = any (p_ids) and dag_run_id = p_run order by id for no key update; -- guard: withdraw-lock
  update task_attempt a set state = 'failed', ended_at = now(), fenced = true, revoked = coalesce(a.revoked, 'cancelled'), -- guard: withdraw-fence
    error = jsonb_build_object('code', 'TASK_CANCELLED', 'message', 'somebody ended this try: the task was ' || p_reason,
      'remedy', 'Nothing: the task''s present state is what was asked for.')
  from task_instance t
  where t.id = any (p_ids) and t.dag_run_id = p_run and t.state = 'running' and a.attempt_id = t.attempt_id and a.state = 'running';
  get diagnostics fenced = row_count;
  with moved as (
    update task_instance set state = 'skipped'
    where id = any (p_ids) and dag_run_id = p_run and state <> 'none' and not is_ended(state)
    returning id, old.state as from_state, state, attempt_id
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state, attempt_id, reason)
  select id, p_run, from_state, state, case from_state when 'running' then attempt_id end, p_reason from moved;
  with moved as (
    update task_instance set state = 'none', uncounted_tries = try_number, infra_failures = 0, decision = null, reason = null, wake_at = null,
      queued_at = null, started_at = null, ended_at = null
    where id = any (p_ids) and dag_run_id = p_run and state <> 'none'
    returning id, old.state as from_state
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
  select id, p_run, from_state, 'none', p_reason from moved;
  delete from xcom where task_instance_id = any (p_ids);
  return fenced;
end
$$;

-- Lets a run go on, or end, from what its instances are at now. The caller holds the locks of dag and run.
create function resume_run(p_run bigint) returns void language plpgsql as $$
declare
  run dag_run;
begin
  perform recount_run(p_run);
  update dag_run set unfinished = (select count(*) from task_instance where dag_run_id = p_run and not is_ended(state))
  where id = p_run returning * into run;
  if run.unfinished = 0 then
    update dag_run set state = case when cancel_requested_at is null then final_state(id) else 'failed' end,
      started_at = coalesce(started_at, now()), ended_at = now()
    where id = p_run;
  elsif run.state = 'running' then
    perform settle_run(p_run);
  else
    update dag_run set state = 'queued', ended_at = null, cancel_requested_at = null, reason = null where id = p_run;
    perform start_runs(run.dag_id);
  end if;
end
$$;

-- Raises QF002 where one of the instances has not ended; a claim under way is waited for.
create function refuse_unended(p_run bigint, p_ids bigint[]) returns void language plpgsql as $$
declare
  busy task_instance;
begin
  perform from task_instance where id = any (p_ids) and dag_run_id = p_run order by id for no key update;
  select * into busy from task_instance where id = any (p_ids) and dag_run_id = p_run and not is_ended(state) order by id limit 1;
  if busy.id is not null then -- guard: clear-unended
    raise exception 'task % has not ended: it is %', busy.task_id || case when busy.map_index >= 0 then '[' || busy.map_index || ']' else '' end,
      busy.state using errcode = 'QF002';
  end if;
end
$$;

-- Lets instances be done again, and their run go on. Returns how many attempts were fenced for it.
create function clear_instances(p_run bigint, p_ids bigint[]) returns integer language plpgsql as $$
declare
  fenced integer;
begin
  perform lock_run(p_run);
  fenced := withdraw_instances(p_run, p_ids, 'cleared');
  perform fold_maps(p_run, p_ids);
  update dag_run set cancel_requested_at = null, reason = null where id = p_run;
  perform resume_run(p_run);
  return fenced;
end
$$;

-- Ends instances as somebody declares them: success, failed or skipped. Downstream that failed, or was not run because of
-- them, is decided again, as in Airflow. Returns how many attempts were fenced for it.
create function mark_instances(p_run bigint, p_ids bigint[], p_state text, p_reason text) returns integer language plpgsql as $$
declare
  fenced integer;
  again bigint[];
begin
  perform lock_run(p_run);
  fenced := withdraw_instances(p_run, p_ids, p_reason);
  with moved as (
    update task_instance set state = p_state, reason = p_reason, ended_at = now()
    where id = any (p_ids) and dag_run_id = p_run and state = 'none'
    returning id
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
  select id, p_run, 'none', p_state, p_reason from moved;
  with recursive down as (
    select version_id, task_index from task_instance where id = any (p_ids)
    union
    select d.version_id, e.downstream_index from down d
    join task_edge e on e.version_id = d.version_id and e.upstream_index = d.task_index
  )
  select coalesce(array_agg(t.id), '{}') into again from task_instance t
  where t.dag_run_id = p_run and t.id <> all (p_ids) and t.state in ('failed', 'upstream_failed')
    and t.task_index in (select task_index from down);
  perform withdraw_instances(p_run, again, 'decided again');
  perform resume_run(p_run);
  return fenced;
end
$$;

-- Declares an ended run failed or a success; its task instances stay as they are.
create function mark_run(p_run bigint, p_state text) returns void language sql as $$
  update dag_run set state = p_state where id = p_run and state in ('success', 'failed')
$$;

-- Revokes the running attempts of some instances: their workers end them. Returns how many.
create function revoke_instances(p_run bigint, p_ids bigint[]) returns integer language plpgsql as $$
declare
  n integer;
begin
  perform lock_run(p_run);
  perform from task_instance where id = any (p_ids) and dag_run_id = p_run order by id for no key update;
  update task_attempt a set revoked = 'cancelled' from task_instance t
  where t.id = any (p_ids) and t.dag_run_id = p_run and t.state = 'running' and a.attempt_id = t.attempt_id and a.state = 'running'
    and a.revoked is null;
  get diagnostics n = row_count;
  return n;
end
$$;

-- Binds a run to another version of its DAG. Instances keep to their tasks by id, with attempts and history; those of tasks
-- that the version does not have become `removed` and leave the graph; tasks that it adds get undecided instances. Returns the
-- instances that cannot stay as they ended because their task is mapped now and was not, or the other way round. The caller
-- holds the run's lock, and nothing of the run is running.
create function rebind_run(p_run bigint, p_version bigint, p_params jsonb) returns bigint[] language plpgsql as $$
declare
  gone bigint[];
  reshaped bigint[];
begin
  update dag_run r set version_id = p_version, params = p_params where id = p_run;
  update dag_run r set concurrency_key = concurrency_key(v.concurrency, r), concurrency_limit = (v.concurrency ->> 'limit')::integer
  from dag_version v where r.id = p_run and v.id = p_version;
  -- Out of the way first: places in the graph are unique at every moment, and removed ones have none.
  update task_instance t set task_index = l.lowest - n.position
  from (select id, row_number() over (order by id) as position from task_instance where dag_run_id = p_run) n,
    (select least(min(task_index), 0) as lowest from task_instance where dag_run_id = p_run) l
  where t.id = n.id;
  select coalesce(array_agg(t.id), '{}') into gone from task_instance t
  left join task_def d on d.version_id = p_version and d.task_id = t.task_id
  where t.dag_run_id = p_run and (d.task_id is null or t.map_index > 0 and (d.map_over_index is null or t.state = 'removed'));
  select coalesce(array_agg(t.id), '{}') into reshaped from task_instance t
  join task_def d on d.version_id = p_version and d.task_id = t.task_id
  where t.dag_run_id = p_run and t.id <> all (gone)
    and (t.state = 'removed' or (d.map_over_index is null) <> (t.map_index < 0) and not t.expands);
  perform withdraw_instances(p_run, reshaped || array(select id from task_instance where id = any (gone) and state <> 'removed'),
    'bound to another version');
  with moved as (
    update task_instance set state = 'removed', ended_at = now(), reason = 'the version has no such task'
    where id = any (gone) and state = 'none' returning id, reason
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason) select id, p_run, 'none', 'removed', reason from moved;
  delete from map_item i using task_instance t where i.task_instance_id = t.id and t.id = any (reshaped);
  update task_instance t set version_id = p_version, task_index = d.task_index, rule = d.rule, lane = d.lane, pool = d.pool,
    pool_slots = d.pool_slots, priority = d.priority, max_active = d.max_active, queue = d.queue,
    concurrency_key = concurrency_key(d.concurrency, (select r from dag_run r where r.id = p_run)),
    concurrency_limit = (d.concurrency ->> 'limit')::integer, queue_timeout = d.queue_timeout,
    deadline = d.deadline, map_index = case when d.map_over_index is null or t.id = any (reshaped) then -1 else t.map_index end,
    expands = d.map_over_index is not null and (t.map_index < 0 or t.id = any (reshaped))
  from task_def d, dag_run r
  where r.id = p_run and d.version_id = p_version and d.task_id = t.task_id and t.dag_run_id = p_run and t.id <> all (gone);
  insert into task_instance (dag_run_id, version_id, dag_id, task_id, task_index, rule, expands, up_total, deadline, lane, pool, pool_slots,
    priority, max_active, queue, backfill, concurrency_key, concurrency_limit, queue_timeout)
  select p_run, p_version, r.dag_id, d.task_id, d.task_index, d.rule, d.map_over_index is not null, d.upstream_count, d.deadline, d.lane, d.pool,
    d.pool_slots, d.priority, d.max_active, d.queue, r.backfill_id is not null, concurrency_key(d.concurrency, r),
    (d.concurrency ->> 'limit')::integer, d.queue_timeout
  from task_def d join dag_run r on r.id = p_run
  where d.version_id = p_version and not exists (
    select from task_instance t where t.dag_run_id = p_run and t.version_id = p_version and t.task_id = d.task_id)
  order by d.task_index;
  return reshaped;
end
$$;
