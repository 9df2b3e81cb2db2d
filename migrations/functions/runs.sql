-- Starting runs.

-- Decides every undecided instance of a run from its counters: how a run starts, and goes on after a clear.
create function settle_run(p_run bigint) returns integer language plpgsql as $$
declare
  over bigint[];
  expandable bigint[];
  ready integer;
  one bigint;
  mapped record;
  after record;
begin
  with verdict as (
    select id, expands, decide(rule, up_total, up_success, up_failed, up_skipped, up_upstream_failed) as decision
    from task_instance where dag_run_id = p_run and state = 'none'
  ), moved as (
    update task_instance t set state = v.decision,
      queued_at = case when v.decision = 'queued' then now() end,
      ended_at = case when v.decision <> 'queued' then now() end
    from verdict v
    where t.id = v.id and v.decision <> 'none' and not (v.expands and v.decision = 'queued')
    returning t.id, t.dag_run_id, t.state
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state)
    select id, dag_run_id, 'none', state from moved
  )
  select (select coalesce(array_agg(id), '{}') from moved where state <> 'queued'), (select count(*)::integer from moved where state = 'queued'),
    (select coalesce(array_agg(id), '{}') from verdict where expands and decision = 'queued')
  into over, ready, expandable;
  foreach one in array expandable loop
    select * into mapped from expand_map(one);
    over := over || mapped.ended;
    ready := ready + mapped.queued;
  end loop;
  select * into after from propagate(over);
  return ready + after.queued;
end
$$;

-- Starts queued runs of a DAG up to its max_active_runs, oldest first; none while it is paused. Returns how many instances
-- became ready.
create function start_runs(p_dag text) returns integer language plpgsql as $$
declare
  room integer;
  one bigint;
  ready integer := 0;
begin
  select max_active_runs into room from dag where dag_id = p_dag and active and not paused for no key update;
  if room is null then
    return 0;
  end if;
  select room - count(*) into room from dag_run where dag_id = p_dag and state = 'running';
  for one in
    select id from dag_run where dag_id = p_dag and state = 'queued' and run_after <= now()
    order by run_after, id limit greatest(room, 0) for no key update
  loop
    update dag_run set state = case when unfinished = 0 then 'success' else 'running' end, started_at = coalesce(started_at, now()),
      ended_at = case when unfinished = 0 then now() end
    where id = one;
    ready := ready + settle_run(one);
  end loop;
  return ready;
end
$$;

-- Creates a run with all its instances unless one with its id, or of its tick, is there. Null where it is.
create function create_run(p_dag text, p_run_id text, p_version bigint, p_kind text, p_logical timestamptz, p_start timestamptz,
  p_end timestamptz, p_run_after timestamptz, p_conf jsonb, p_params jsonb, p_by text) returns bigint language plpgsql as $$
declare
  run bigint;
  n integer;
begin
  insert into dag_run (dag_id, run_id, version_id, kind, logical_date, interval_start, interval_end, run_after, conf, params, triggered_by)
  values (p_dag, p_run_id, p_version, p_kind, p_logical, p_start, p_end, coalesce(p_run_after, now()), p_conf, p_params, p_by)
  on conflict do nothing
  returning id into run;
  if run is null then
    return null;
  end if;
  insert into task_instance (dag_run_id, version_id, dag_id, task_id, task_index, rule, expands, up_total, lane, pool, pool_slots, priority,
    max_active)
  select run, version_id, p_dag, task_id, task_index, rule, map_over_index is not null, upstream_count, lane, pool, pool_slots, priority,
    max_active
  from task_def where version_id = p_version order by task_index;
  get diagnostics n = row_count;
  update dag_run set unfinished = n where id = run;
  return run;
end
$$;
