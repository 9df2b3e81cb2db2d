-- Handing queued instances to workers.

-- Key of the lock under which limits are counted. Every limit (pools, active tasks of a run, active instances of a task) is
-- counted in a statement after the one that takes it: a statement that waits for a lock counts in a snapshot from before.
create function claim_lock() returns bigint language sql immutable as 'select 7101003::bigint';

-- Lets sensors whose function said "not yet" go on with their attempts, under new tokens. Returns their instances.
create function resume_attempts(p_worker uuid, p_claim uuid, p_ids bigint[]) returns bigint[] language sql as $$
  with resumed as (
    update task_attempt a set state = 'running', worker_id = p_worker, claim_id = p_claim, previous_token = token, token = gen_random_uuid()
    from task_instance t
    where t.id = any (p_ids) and t.state = 'queued' and a.attempt_id = t.attempt_id and a.state = 'up_for_reschedule'
    returning a.task_instance_id
  ), moved as (
    update task_instance t set state = 'running', ended_at = null, wake_at = null, reason = null, start_by = null
    from resumed r where t.id = r.task_instance_id
    returning t.id, t.dag_run_id, t.attempt_id
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, attempt_id)
    select id, dag_run_id, 'queued', 'running', attempt_id from moved
  )
  select coalesce(array_agg(id), '{}') from moved
$$;

-- Makes the attempts of chosen instances. Some may go on with theirs.
create function start_attempts(p_worker uuid, p_claim uuid, p_ids bigint[]) returns void language plpgsql as $$
declare
  ids bigint[] := p_ids;
begin
  if exists (select from task_instance t join task_attempt a on a.attempt_id = t.attempt_id
    where t.id = any (p_ids) and a.state = 'up_for_reschedule')
  then
    ids := array(select unnest(p_ids) except select unnest(resume_attempts(p_worker, p_claim, p_ids)));
  end if;
  with moved as (
    update task_instance t set state = 'running', ended_at = null, wake_at = null, reason = null, start_by = null,
      try_number = t.try_number + 1, attempt_id = uuidv7(), started_at = now()
    where t.id = any (ids) and t.state = 'queued'
    returning t.id, t.dag_run_id, t.version_id, t.task_index, t.attempt_id, t.try_number
  ), attempt as (
    insert into task_attempt (attempt_id, task_instance_id, dag_run_id, try_number, worker_id, claim_id, deadline_at)
    select m.attempt_id, m.id, m.dag_run_id, m.try_number, p_worker, p_claim, now() + make_interval(secs => d.timeout_ms / 1000.0)
    from moved m join task_def d on d.version_id = m.version_id and d.task_index = m.task_index
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state, attempt_id)
  select id, dag_run_id, 'queued', 'running', attempt_id from moved;
end
$$;

-- Most bytes of values that one task may read, and most that travel with a claim; larger ones are fetched on their own, since
-- the answer of a claim must stay below what a jsonb can hold.
create function input_limit() returns bigint language sql immutable as 'select 67108864::bigint';
create function claim_input_limit() returns bigint language sql immutable as 'select 1048576::bigint';

-- What only some attempts need to be told is plpgsql: it is prepared when it is asked for, not with every claim.

-- What the upstreams whose values an instance reads ended with: {task: {"mapped", "ended": [{"state", "value"}] in map order}}.
-- Null where the values have more than `p_limit` bytes.
create function upstream_values(t task_instance, def task_def, p_limit bigint default input_limit()) returns jsonb language plpgsql stable as $$
begin
  if (select sum(x.size) from task_instance u join xcom x on x.task_instance_id = u.id
    where u.dag_run_id = t.dag_run_id and u.task_index = any (def.value_indexes)) > p_limit
  then
    return null;
  end if;
  return (select coalesce(jsonb_object_agg(task_id, body), '{}') from (
    select u.task_id, jsonb_build_object('mapped', ud.map_over_index is not null, 'ended', jsonb_agg(
      jsonb_build_object('state', u.state, 'value', coalesce(x.value, b.value)) order by u.map_index) filter (
        where ud.map_over_index is null or u.map_index >= 0)) as body
    from task_instance u
    join task_def ud on ud.version_id = u.version_id and ud.task_index = u.task_index
    left join xcom x on x.task_instance_id = u.id
    left join xcom_blob b on b.hash = x.blob_hash
    where u.dag_run_id = t.dag_run_id and u.task_index = any (def.value_indexes)
    group by u.task_id, ud.map_over_index
  ) upstream);
end
$$;

-- The item of a mapped instance: one of the array, or what the instance that it follows returned.
create function item_of(p_instance bigint, p_run bigint, p_map_over integer, p_map_index integer) returns jsonb language plpgsql stable as $$
begin
  return coalesce((select i.value from map_item i where i.task_instance_id = p_instance), (
    select coalesce(x.value, b.value) from task_instance u
    join xcom x on x.task_instance_id = u.id
    left join xcom_blob b on b.hash = x.blob_hash
    where u.dag_run_id = p_run and u.task_index = p_map_over and u.map_index = p_map_index));
end
$$;

-- Number of the next line of an attempt's log.
create function next_log_line(p_attempt uuid) returns integer language plpgsql stable as $$
begin
  return (select coalesce(max(l.first_line + l.line_count), 1) from log_chunk l where l.attempt_id = p_attempt);
end
$$;

-- The dataset events that started a run, oldest first.
create function run_events(p_run bigint) returns jsonb language plpgsql stable as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('dataset', e.dataset, 'at', e.at, 'extra', e.extra, 'partition', e.partition) order by e.id), '[]')
    from dag_run_event re join dataset_event e on e.id = re.event_id where re.dag_run_id = p_run);
end
$$;

-- The handle that the latest of an instance's earlier attempts saved.
create function previous_handle(p_instance bigint, p_try integer) returns jsonb language plpgsql stable as $$
begin
  return (
    select p.handle from task_attempt p where p.task_instance_id = p_instance and p.handle is not null and p.try_number < p_try
    order by p.try_number desc limit 1);
end
$$;

-- Attempts as the objects that src/metadata/claimed-task.ts reads.
create function claimed_tasks(p_worker uuid, p_claim uuid) returns jsonb language sql stable as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'attemptId', a.attempt_id, 'token', a.token, 'taskInstanceId', t.id, 'dagId', t.dag_id, 'runId', r.run_id, 'taskId', t.task_id,
    'mapIndex', t.map_index, 'tryNumber', a.try_number, 'versionId', t.version_id, 'bundleHash', v.bundle_hash, 'kind', d.kind,
    'rule', d.rule, 'operator', d.operator, 'params', r.params, 'logicalDate', r.logical_date, 'intervalStart', r.interval_start,
    'intervalEnd', r.interval_end, 'partition', r.partition, 'inputs', d.inputs, 'branchTargets', d.branch_targets, 'emits', d.emits, 'retryPolicy', d.retry_policy, 'sensor', d.sensor,
    -- A sensor's timeout is for the whole wait.
    'timeoutMs', case when a.polls = 0 then d.timeout_ms else greatest(1, extract(epoch from a.deadline_at - now()) * 1000)::bigint end,
    'firstLogLine', case when a.polls = 0 then 1 else next_log_line(a.attempt_id) end,
    'item', case when t.map_index >= 0 then item_of(t.id, t.dag_run_id, d.map_over_index, t.map_index) end,
    'upstream', case when d.value_indexes = '{}' then '{}' else upstream_values(t, d, claim_input_limit()) end,
    'events', case when r.kind <> 'dataset' then '[]' else run_events(r.id) end,
    'previousHandle', case when a.try_number > 1 then previous_handle(t.id, a.try_number) end) order by t.rank, t.id), '[]')
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
  served text[];
  ids bigint[];
begin
  tasks := '[]';
  claimed := 0;
  if p_repeated and exists (select from task_attempt where worker_id = p_worker and state = 'running' and claim_id = p_claim) then -- guard: claim-repeated
    tasks := claimed_tasks(p_worker, p_claim);
    return;
  end if;
  if p_functions + p_operators <= 0 or not exists (select from task_instance where state = 'queued') then
    return;
  end if;
  select queues into served from worker where worker_id = p_worker and state = 'active'; -- guard: claim-active-worker
  if served is null then
    return;
  end if;
  perform pg_advisory_xact_lock(claim_lock()); -- guard: claim-lock
  ids := choose_queued(served, p_functions, p_operators);
  claimed := cardinality(ids);
  if claimed > 0 then
    perform start_attempts(p_worker, p_claim, ids);
    tasks := claimed_tasks(p_worker, p_claim);
  end if;
end
$$;

-- Records outcomes and claims the next batch: one round trip, one commit.
-- Planned once, and for large tables: a plan made while they are small would read them whole for as long as the connection lives.
-- What a row costs is raised for the same reason: in a small table every row looks cheaper than a few looked up one by one.
create function finish_and_claim(p_worker uuid, p_outcomes jsonb, p_functions integer, p_operators integer, p_claim uuid,
  p_repeated boolean) returns jsonb language plpgsql
  set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
  set cpu_tuple_cost = 1 set cpu_index_tuple_cost = 1
as $$
declare
  done record;
  next record;
  queued integer := 0;
  closed integer := 0;
  events integer := 0;
  freed integer := 0;
  known jsonb := '[]';
begin
  if jsonb_array_length(p_outcomes) > 0 then
    done := finish_attempts(p_outcomes, false);
    queued := done.queued;
    closed := done.closed;
    events := done.events;
    freed := cardinality(done.attempts);
    known := to_jsonb(done.attempts);
    -- Accepted are also those that an earlier call recorded and whose answer was lost.
    if cardinality(done.attempts) < jsonb_array_length(p_outcomes) then
      select coalesce(jsonb_agg(a.attempt_id), '[]') into known
      from jsonb_array_elements(p_outcomes) o
      join task_attempt a on a.attempt_id = (o ->> 'attemptId')::uuid
      where a.token = (o ->> 'token')::uuid and a.state <> 'running' and not a.fenced or a.previous_token = (o ->> 'token')::uuid; -- guard: outcome-known-token, outcome-known-fenced
    end if;
  end if;
  next := claim_tasks(p_worker, p_claim, p_repeated, p_functions, p_operators);
  -- Others are woken for what became ready and was not taken, and for slots that were given back and not taken again.
  return jsonb_build_object('accepted', known, 'claimed', next.tasks, 'surplus', queued > next.claimed
      or freed > next.claimed and exists (select from task_instance where state = 'queued'), 'closed', closed,
    'events', events, 'secrets', case when next.tasks <> '[]' then secrets_version() end);
end
$$;
