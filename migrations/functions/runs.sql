-- Starting runs.

-- Decides every undecided instance of a run from its counters: how a run starts, and goes on after a clear. What branches and
-- short circuits that have ended left out is left out again. Returns how many instances became ready.
create function settle_run(p_run bigint) returns integer language plpgsql as $$
declare
  skipped bigint[] := skip_unchosen(array(select id from task_instance where dag_run_id = p_run and decision is not null));
begin
  perform set_start_clocks(id, version_id) from dag_run where id = p_run;
  return (propagate(skipped, array(select id from task_instance where dag_run_id = p_run and state = 'none'))).queued;
end
$$;

-- Whether the limit by key leaves a queued run room. The caller holds the lock of the DAG.
create function run_fits_key(run dag_run) returns boolean language sql stable as $$
  select run.concurrency_key is null or run.concurrency_limit > (
    select count(*) from dag_run r where r.dag_id = run.dag_id and r.state = 'running' and r.concurrency_key = run.concurrency_key)
$$;

-- Starts queued runs of a DAG, oldest first: up to its max_active_runs, and of every backfill that is not paused up to the backfill's;
-- none while the DAG is paused. Returns how many instances became ready.
-- Planned once, as finish_and_claim is: planning all that follows anew for each run costs a hundred times what it does.
create function start_runs(p_dag text) returns integer language plpgsql
  set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
  set cpu_tuple_cost = 1 set cpu_index_tuple_cost = 1
as $$
declare
  room integer;
  one record;
  ready integer := 0;
begin
  select max_active_runs into room from dag where dag_id = p_dag and active and not paused for no key update; -- guard: start-lock, start-paused
  if room is null then
    return 0;
  end if;
  ready := start_some_runs(p_dag, null, room);
  for one in select b.id, b.max_active_runs from backfill b
    where b.id in (select backfill_id from dag_run where dag_id = p_dag and state = 'queued')
      and (b.completed_at is not null or not b.paused) order by b.id
  loop
    ready := ready + start_some_runs(p_dag, one.id, one.max_active_runs);
  end loop;
  return ready;
end
$$;

-- Starts queued runs of a DAG that belong to the backfill, or (null) to none, until `p_limit` of them run.
create function start_some_runs(p_dag text, p_backfill bigint, p_limit integer) returns integer language plpgsql as $$
declare
  room integer := p_limit - (select count(*) from dag_run
    where dag_id = p_dag and state = 'running' and backfill_id is not distinct from p_backfill);
  run dag_run;
  ready integer := 0;
begin
  if room <= 0 then
    return 0;
  end if;
  for run in
    select * from dag_run where dag_id = p_dag and state = 'queued' and run_after <= now() and backfill_id is not distinct from p_backfill
    order by run_after, id for no key update
  loop
    continue when not run_fits_key(run); -- guard: run-key
    update dag_run set state = case when unfinished = 0 then 'success' else 'running' end, started_at = coalesce(started_at, now()),
      ended_at = case when unfinished = 0 then now() end, reason = null,
      timeout_at = now() + (select v.run_timeout from dag_version v where v.id = version_id)
    where id = run.id;
    ready := ready + settle_run(run.id);
    room := room - 1;
    exit when room <= 0;
  end loop;
  return ready;
end
$$;

-- What the key of {"key": text or token, "limit"} is in a run: the text, or the name and the value of what the token names; null where
-- there is no such limit.
create function concurrency_key(p_concurrency jsonb, run dag_run) returns text language sql stable as $$
  select case
    when p_concurrency is null then null
    when jsonb_typeof(p_concurrency -> 'key') = 'string' then p_concurrency ->> 'key'
    when p_concurrency -> 'key' ? '$param' then concat((
      select string_agg(p, '.') || '=' || coalesce(run.params #>> array_agg(p), '')
      from jsonb_array_elements_text(p_concurrency -> 'key' -> '$param') p))
    else concat(p_concurrency -> 'key' ->> '$run', '=', case p_concurrency -> 'key' ->> '$run'
      when 'runId' then run.run_id when 'dagId' then run.dag_id when 'logicalDate' then run.logical_date::text
      when 'intervalStart' then run.interval_start::text when 'intervalEnd' then run.interval_end::text end)
  end
$$;

-- Creates a run with all its instances unless one with its id, or of its tick, is there. Null where it is.
create function create_run(p_dag text, p_run_id text, p_version bigint, p_kind text, p_logical timestamptz, p_start timestamptz,
  p_end timestamptz, p_run_after timestamptz, p_conf jsonb, p_params jsonb, p_by text, p_backfill bigint default null,
  p_partition text default null) returns bigint language plpgsql
  set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
  set cpu_tuple_cost = 1 set cpu_index_tuple_cost = 1
as $$
declare
  run dag_run;
  n integer;
begin
  insert into dag_run (dag_id, run_id, version_id, kind, logical_date, interval_start, interval_end, run_after, conf, params, triggered_by,
    backfill_id, partition)
  values (p_dag, p_run_id, p_version, p_kind, p_logical, p_start, p_end, coalesce(p_run_after, now()), p_conf, p_params, p_by, p_backfill,
    p_partition)
  on conflict do nothing -- guard: tick-once
  returning * into run;
  if run.id is null then
    return null;
  end if;
  insert into task_instance (dag_run_id, version_id, dag_id, task_id, task_index, rule, expands, up_total, gates_open, deadline, lane, pool, pool_slots, priority,
    max_active, queue, backfill, concurrency_key, concurrency_limit, queue_timeout)
  select run.id, d.version_id, p_dag, task_id, task_index, rule, map_over_index is not null, upstream_count, gate_count, deadline, lane, pool, pool_slots, priority,
    max_active, queue, p_backfill is not null, concurrency_key(d.concurrency, run), (d.concurrency ->> 'limit')::integer, queue_timeout
  from task_def d where d.version_id = p_version order by task_index;
  get diagnostics n = row_count;
  update dag_run r set unfinished = n, concurrency_key = concurrency_key(v.concurrency, run),
    concurrency_limit = (v.concurrency ->> 'limit')::integer
  from dag_version v where r.id = run.id and v.id = p_version;
  return run.id;
end
$$;
