-- Handing queued instances to workers.

-- Key of the lock under which limits are counted. Every limit (pools, active tasks of a run, active instances of a task) is
-- counted in a statement after the one that takes it: a statement that waits for a lock counts in a snapshot from before.
create function claim_lock() returns bigint language sql immutable as 'select 7101003::bigint';

-- Chooses up to `p_limit` queued instances of a lane, highest priority first, within every limit. The caller holds claim_lock.
create function choose_queued(p_lane text, p_limit integer) returns bigint[] language sql as $$
  with active as materialized (
    select pool, pool_slots, dag_run_id, dag_id, task_id from task_instance where state = 'running'
  ), full_run as materialized (
    select a.dag_run_id, v.max_active_tasks - count(*) as free
    from active a join dag_run r on r.id = a.dag_run_id join dag_version v on v.id = r.version_id
    group by a.dag_run_id, v.max_active_tasks
  ), task_use as materialized (
    select dag_id, task_id, count(*) as used from active group by dag_id, task_id
  ), candidate as (
    select q.*, p.slots - coalesce(u.used, 0) as free
    from pool p
    left join (select pool, sum(pool_slots) as used from active group by pool) u on u.pool = p.name
    cross join lateral (
      select t.id, t.pool, t.pool_slots, t.priority, t.dag_run_id, t.version_id, t.dag_id, t.task_id, t.max_active
      from task_instance t
      where t.state = 'queued' and t.pool = p.name and t.lane = p_lane
        and not exists (select from full_run f where f.dag_run_id = t.dag_run_id and f.free <= 0)
        and not exists (select from task_use k where k.dag_id = t.dag_id and k.task_id = t.task_id and k.used >= t.max_active)
      order by t.priority desc, t.id
      limit p_limit
      for no key update skip locked
    ) q
    where p.slots > coalesce(u.used, 0)
  ), ranked as (
    select c.id, c.priority, c.free, c.max_active,
      sum(c.pool_slots) over (partition by c.pool order by c.priority desc, c.id) as pool_take,
      row_number() over (partition by c.dag_run_id order by c.priority desc, c.id) as run_take,
      coalesce(f.free, v.max_active_tasks) as run_free,
      row_number() over (partition by c.dag_id, c.task_id order by c.priority desc, c.id) + coalesce(k.used, 0) as task_take
    from candidate c
    join dag_version v on v.id = c.version_id
    left join full_run f on f.dag_run_id = c.dag_run_id
    left join task_use k on k.dag_id = c.dag_id and k.task_id = c.task_id
  )
  select coalesce(array_agg(id), '{}') from (
    select id from ranked
    where pool_take <= free and run_take <= run_free and (max_active is null or task_take <= max_active)
    order by priority desc, id
    limit p_limit
  ) fitting
$$;

-- Makes the attempts of chosen instances.
create function start_attempts(p_worker uuid, p_claim uuid, p_ids bigint[]) returns void language sql as $$
  with moved as (
    update task_instance set state = 'running', try_number = try_number + 1, attempt_id = uuidv7(), started_at = now(), ended_at = null,
      wake_at = null, reason = null
    where id = any (p_ids) and state = 'queued'
    returning id, dag_run_id, version_id, task_index, attempt_id, try_number
  ), attempt as (
    insert into task_attempt (attempt_id, task_instance_id, dag_run_id, try_number, worker_id, claim_id, deadline_at)
    select m.attempt_id, m.id, m.dag_run_id, m.try_number, p_worker, p_claim, now() + make_interval(secs => d.timeout_ms / 1000.0)
    from moved m join task_def d on d.version_id = m.version_id and d.task_index = m.task_index
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state, attempt_id)
  select id, dag_run_id, 'queued', 'running', attempt_id from moved
$$;

-- What the upstreams whose values an instance reads ended with: {task: {"mapped", "ended": [{"state", "value"}] in map order}}.
create function upstream_values(t task_instance, def task_def) returns jsonb language sql stable as $$
  select coalesce(jsonb_object_agg(task_id, body), '{}') from (
    select u.task_id, jsonb_build_object('mapped', ud.map_over_index is not null, 'ended', jsonb_agg(
      jsonb_build_object('state', u.state, 'value', coalesce(x.value, b.value)) order by u.map_index) filter (
        where ud.map_over_index is null or u.map_index >= 0)) as body
    from task_instance u
    join task_def ud on ud.version_id = u.version_id and ud.task_index = u.task_index
    left join xcom x on x.task_instance_id = u.id
    left join xcom_blob b on b.hash = x.blob_hash
    where u.dag_run_id = t.dag_run_id and u.task_index = any (def.value_indexes)
    group by u.task_id, ud.map_over_index
  ) upstream
$$;

-- Attempts as the objects that src/metadata/claimed-task.ts reads.
create function claimed_tasks(p_worker uuid, p_claim uuid) returns jsonb language sql stable as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'attemptId', a.attempt_id, 'token', a.token, 'taskInstanceId', t.id, 'dagId', t.dag_id, 'runId', r.run_id, 'taskId', t.task_id,
    'mapIndex', t.map_index, 'tryNumber', a.try_number, 'versionId', t.version_id, 'bundleHash', v.bundle_hash, 'kind', d.kind,
    'rule', d.rule, 'operator', d.operator, 'params', r.params, 'logicalDate', r.logical_date, 'intervalStart', r.interval_start,
    'intervalEnd', r.interval_end, 'inputs', d.inputs, 'branchTargets', d.branch_targets, 'emits', d.emits, 'timeoutMs', d.timeout_ms,
    'item', case when t.map_index >= 0 then (select i.value from map_item i where i.task_instance_id = t.id) end,
    'upstream', case when d.value_indexes = '{}' then '{}' else upstream_values(t, d) end,
    'events', case when r.kind <> 'dataset' then '[]' else (
      select coalesce(jsonb_agg(jsonb_build_object('dataset', e.dataset, 'at', e.at, 'extra', e.extra) order by e.id), '[]')
      from dag_run_event re join dataset_event e on e.id = re.event_id where re.dag_run_id = r.id) end,
    'previousHandle', case when a.try_number > 1 then (
      select p.handle from task_attempt p where p.task_instance_id = t.id and p.handle is not null and p.try_number < a.try_number
      order by p.try_number desc limit 1) end) order by t.priority desc, t.id), '[]')
  from task_attempt a
  join task_instance t on t.id = a.task_instance_id
  join task_def d on d.version_id = t.version_id and d.task_index = t.task_index
  join dag_run r on r.id = t.dag_run_id
  join dag_version v on v.id = t.version_id
  where a.worker_id = p_worker and a.state = 'running' and a.claim_id = p_claim
$$;

-- Claims for a worker under the id `p_claim`; a repeated call with the same id answers what the first one claimed.
create function claim_tasks(p_worker uuid, p_claim uuid, p_repeated boolean, p_functions integer, p_operators integer, out tasks jsonb,
  out claimed integer) language plpgsql as $$
declare
  ids bigint[] := '{}';
  taken bigint[];
begin
  tasks := '[]';
  claimed := 0;
  if p_repeated and exists (select from task_attempt where worker_id = p_worker and state = 'running' and claim_id = p_claim) then
    tasks := claimed_tasks(p_worker, p_claim);
    return;
  end if;
  if p_functions + p_operators <= 0 or not exists (select from task_instance where state = 'queued')
    or not exists (select from worker where worker_id = p_worker and state = 'active') then
    return;
  end if;
  perform pg_advisory_xact_lock(claim_lock());
  -- A second round where limits left room that instances further back can use.
  for round in 1 .. 2 loop
    if p_functions > 0 then
      taken := choose_queued('function', p_functions);
      perform start_attempts(p_worker, p_claim, taken);
      p_functions := p_functions - cardinality(taken);
      ids := ids || taken;
    end if;
    if p_operators > 0 then
      taken := choose_queued('operator', p_operators);
      perform start_attempts(p_worker, p_claim, taken);
      p_operators := p_operators - cardinality(taken);
      ids := ids || taken;
    end if;
    exit when ids = '{}' or p_functions + p_operators <= 0 or not exists (select from task_instance where state = 'queued');
  end loop;
  claimed := cardinality(ids);
  if claimed > 0 then
    tasks := claimed_tasks(p_worker, p_claim);
  end if;
end
$$;

-- Records outcomes and claims the next batch: one round trip, one commit.
-- Planned once, and for large tables: a plan made while they are small would read them whole for as long as the connection lives.
create function finish_and_claim(p_worker uuid, p_outcomes jsonb, p_functions integer, p_operators integer, p_claim uuid,
  p_repeated boolean) returns jsonb language plpgsql
  set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
declare
  done record;
  next record;
  queued integer := 0;
  closed integer := 0;
  events integer := 0;
  known jsonb := '[]';
begin
  if jsonb_array_length(p_outcomes) > 0 then
    select * into done from finish_attempts(p_outcomes, false);
    queued := done.queued;
    closed := done.closed;
    events := done.events;
    known := to_jsonb(done.attempts);
    -- Accepted are also those that an earlier call recorded and whose answer was lost.
    if cardinality(done.attempts) < jsonb_array_length(p_outcomes) then
      select coalesce(jsonb_agg(a.attempt_id), '[]') into known
      from jsonb_array_elements(p_outcomes) o
      join task_attempt a on a.attempt_id = (o ->> 'attemptId')::uuid and a.token = (o ->> 'token')::uuid
      where a.state <> 'running' and not a.fenced;
    end if;
  end if;
  select * into next from claim_tasks(p_worker, p_claim, p_repeated, p_functions, p_operators);
  return jsonb_build_object('accepted', known, 'claimed', next.tasks, 'surplus', queued > next.claimed, 'closed', closed,
    'events', events);
end
$$;
