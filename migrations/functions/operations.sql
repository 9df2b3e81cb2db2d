-- What people do to runs: cancel, clear.

-- Asks a run to end: what has not started is skipped, what runs is revoked, and the run ends when the last of that has.
-- Returns the number of running attempts that are to end. Null where the run has ended already.
create function cancel_run(p_run bigint) returns integer language plpgsql as $$
declare
  n integer;
begin
  perform from dag_run where id = p_run and state in ('queued', 'running') for no key update;
  if not found then
    return null;
  end if;
  with chosen as (
    update task_instance set state = 'skipped', reason = 'cancelled', ended_at = now(), wake_at = null
    where dag_run_id = p_run and state in ('none', 'queued', 'up_for_retry')
    returning id, dag_run_id, old.state as from_state
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
  select id, dag_run_id, from_state, 'skipped', 'cancelled' from chosen;
  get diagnostics n = row_count;
  update dag_run set cancel_requested_at = now(), unfinished = unfinished - n,
    state = case when unfinished = n then 'failed' else state end, ended_at = case when unfinished = n then now() end
  where id = p_run;
  update task_attempt set revoked = 'cancelled' where dag_run_id = p_run and state = 'running' and revoked is null;
  get diagnostics n = row_count;
  return n;
end
$$;

-- Puts map tasks back to one waiting row where what they map over is done again.
create function fold_maps(p_run bigint, p_ids bigint[]) returns void language sql as $$
  with folded as (
    select distinct t.task_index
    from task_instance t
    join task_def d on d.version_id = t.version_id and d.task_index = t.task_index
    join task_instance u on u.dag_run_id = t.dag_run_id and u.task_index = d.map_over_index and u.id = any (p_ids)
    where t.dag_run_id = p_run and t.map_index >= 0
  ), extra as (
    delete from task_instance t using folded f where t.dag_run_id = p_run and t.task_index = f.task_index and t.map_index > 0
  ), item as (
    delete from map_item i using task_instance t, folded f
    where i.task_instance_id = t.id and t.dag_run_id = p_run and t.task_index = f.task_index and t.map_index = 0
  )
  update task_instance t set map_index = -1, expands = true from folded f
  where t.dag_run_id = p_run and t.task_index = f.task_index and t.map_index = 0
$$;

-- Counts the upstreams of every undecided instance of a run anew.
create function recount_run(p_run bigint) returns void language sql as $$
  update task_instance t set up_total = c.total, up_success = c.success, up_failed = c.failed, up_skipped = c.skipped,
    up_upstream_failed = c.upstream_failed
  from (
    select w.id, count(u.id)::integer as total, (count(*) filter (where u.state = 'success'))::integer as success,
      (count(*) filter (where u.state = 'failed'))::integer as failed, (count(*) filter (where u.state = 'skipped'))::integer as skipped,
      (count(*) filter (where u.state = 'upstream_failed'))::integer as upstream_failed
    from task_instance w
    left join task_edge e on e.version_id = w.version_id and e.downstream_index = w.task_index
    left join task_instance u on u.dag_run_id = w.dag_run_id and u.task_index = e.upstream_index
    where w.dag_run_id = p_run and w.state = 'none'
    group by w.id
  ) c
  where t.id = c.id
$$;

-- Makes ended instances undecided again and lets their run go on; their values are forgotten, their attempts kept.
-- Returns the number of instances; raises QF002 where one of them has not ended.
create function clear_instances(p_run bigint, p_ids bigint[]) returns integer language plpgsql as $$
declare
  run dag_run;
  busy text;
begin
  perform from dag where dag_id = (select dag_id from dag_run where id = p_run) for no key update;
  select * into run from dag_run where id = p_run for no key update;
  select task_id into busy from task_instance
  where id = any (p_ids) and dag_run_id = p_run and state not in ('success', 'failed', 'skipped', 'upstream_failed') limit 1;
  if busy is not null then
    raise exception 'task % has not ended', busy using errcode = 'QF002';
  end if;
  with moved as (
    update task_instance set state = 'none', uncounted_tries = try_number, infra_failures = 0, reason = null, wake_at = null,
      queued_at = null, started_at = null, ended_at = null
    where id = any (p_ids) and dag_run_id = p_run
    returning id, old.state as from_state
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
  select id, p_run, from_state, 'none', 'cleared' from moved;
  delete from xcom where task_instance_id = any (p_ids);
  perform fold_maps(p_run, p_ids);
  perform recount_run(p_run);
  update dag_run set cancel_requested_at = null, ended_at = null, state = case when run.state = 'running' then 'running' else 'queued' end,
    unfinished = (select count(*) from task_instance where dag_run_id = p_run
      and state not in ('success', 'failed', 'skipped', 'upstream_failed'))
  where id = p_run;
  if run.state = 'running' then
    perform settle_run(p_run);
  else
    perform start_runs(run.dag_id);
  end if;
  return cardinality(p_ids);
end
$$;
