-- Handing queued instances to workers.

-- Key of the lock under which limits are counted. Every limit (pools, active tasks of a run, active instances of a task) is
-- counted in a statement after the one that takes it: a statement that waits for a lock counts in a snapshot from before.
create function claim_lock() returns bigint language sql immutable as 'select 7101003::bigint';

-- Where instances wait that a worker with room in these lanes, for these queues, may take: pools with free slots, the one served
-- longest ago first, with the best rank that waits there. Jumps from one lane, pool and queue to the next.
create function open_sources(p_lanes text[], p_queues text[]) returns table (lane text, pool text, queue text, free integer, best bigint)
language sql stable as $$
  with recursive source as (
    (select t.lane, t.pool, t.queue from task_instance t where t.state = 'queued' order by t.lane, t.pool, t.queue limit 1)
    union all
    select n.lane, n.pool, n.queue from source s cross join lateral (
      select t.lane, t.pool, t.queue from task_instance t
      where t.state = 'queued' and (t.lane, t.pool, t.queue) > (s.lane, s.pool, s.queue) order by t.lane, t.pool, t.queue limit 1) n
  )
  select s.lane, s.pool, s.queue, u.free, (
    select t.rank from task_instance t where t.state = 'queued' and t.lane = s.lane and t.pool = s.pool and t.queue = s.queue
    order by t.rank limit 1)
  from source s
  join pool p on p.name = s.pool
  cross join lateral (
    select p.slots - coalesce(sum(t.pool_slots), 0)::integer as free -- guard: pool-room
    from task_instance t where t.state = 'running' and t.pool = s.pool) u
  left join claim_turn c on c.lane = s.lane and c.pool = s.pool and c.queue = s.queue and c.dag_id = ''
  where s.lane = any (p_lanes) and s.queue = any (p_queues) and u.free > 0
  order by c.served_at nulls first, s.lane, s.pool, s.queue
$$;

-- How many more instances of a run's task its own limits let start, beside what runs and what is picked already.
create function task_room(t task_instance, p_picked bigint[]) returns integer language plpgsql stable as $$
declare
  room integer := 2147483647;
begin
  if t.max_active is not null then
    room := t.max_active - (select count(*) from task_instance r -- guard: task-room
        where r.state = 'running' and r.max_active is not null and r.dag_id = t.dag_id and r.task_id = t.task_id)
      - (select count(*) from task_instance r where r.id = any (p_picked) and r.dag_id = t.dag_id and r.task_id = t.task_id);
  end if;
  if t.concurrency_key is not null then
    room := least(room, t.concurrency_limit - (select count(*) from task_instance r -- guard: key-room
        where r.state = 'running' and r.dag_id = t.dag_id and r.concurrency_key = t.concurrency_key)
      - (select count(*) from task_instance r
        where r.id = any (p_picked) and r.dag_id = t.dag_id and r.concurrency_key = t.concurrency_key));
  end if;
  return room;
end
$$;

-- Up to `p_limit` instances of a run in the order of its tasks after `p_after`, up to the first whose task has a limit of its own or
-- that `p_slots` do not suffice for. `last` is the last task of them, `ended` whether nothing waits behind them.
create function pick_stretch(p_lane text, p_pool text, p_queue text, p_rank bigint, p_dag text, p_run bigint, p_after integer,
  p_limit integer, p_slots integer, p_picked bigint[], out ids bigint[], out used integer, out last integer, out ended boolean)
language sql as $$
  select coalesce(array_agg(id order by n) filter (where fits), '{}'), coalesce(sum(pool_slots) filter (where fits), 0)::integer,
    max(task_index) filter (where fits), count(*) < p_limit and coalesce(bool_and(fits), true)
  from (
    select w.id, w.task_index, w.pool_slots, row_number() over first_to_this as n,
      bool_and(w.max_active is null and w.concurrency_key is null) over first_to_this
        and sum(w.pool_slots) over first_to_this <= p_slots as fits
    from (
      select t.id, t.task_index, t.pool_slots, t.max_active, t.concurrency_key from task_instance t
      where t.state = 'queued' and t.lane = p_lane and t.pool = p_pool and t.queue = p_queue and t.rank = p_rank and t.dag_id = p_dag
        and t.dag_run_id = p_run and t.task_index > p_after and t.id <> all (p_picked)
      order by t.task_index, t.id limit p_limit for no key update skip locked) w
    window first_to_this as (order by w.task_index, w.id rows unbounded preceding)
  ) waiting
$$;

-- Up to `p_quota` instances of a run, in the order of its tasks; `slots` is what they may take of the pool, and what is left of it
-- after. `more` = the quota ended it, not the work.
create function pick_of_run(p_lane text, p_pool text, p_queue text, p_rank bigint, p_dag text, p_run bigint, p_quota integer,
  inout slots integer, inout picked bigint[], out more boolean) language plpgsql as $$
declare
  room integer;
  quota integer := p_quota;
  head task_instance;
  stretch record;
  n integer;
  ids bigint[];
begin
  select v.max_active_tasks - (select count(*) from task_instance t where t.state = 'running' and t.dag_run_id = p_run) -- guard: run-room
  into room from dag_run r join dag_version v on v.id = r.version_id where r.id = p_run;
  if room < quota + cardinality(picked) then
    room := room - (select count(*) from task_instance t where t.id = any (picked) and t.dag_run_id = p_run);
  end if;
  head.task_index := -1;
  while quota > 0 and room > 0 and slots > 0 loop
    stretch := pick_stretch(p_lane, p_pool, p_queue, p_rank, p_dag, p_run, head.task_index, least(quota, room), slots,
      picked);
    n := cardinality(stretch.ids);
    quota := quota - n;
    room := room - n;
    slots := slots - stretch.used;
    picked := picked || stretch.ids;
    exit when stretch.ended or quota = 0 or room = 0 or slots = 0;
    -- The next task has a limit of its own, or takes too many slots: it is passed over as a whole where it may not start.
    select * into head from task_instance t
    where t.state = 'queued' and t.lane = p_lane and t.pool = p_pool and t.queue = p_queue and t.rank = p_rank and t.dag_id = p_dag
      and t.dag_run_id = p_run and t.task_index > coalesce(stretch.last, head.task_index)
    order by t.task_index, t.id limit 1;
    exit when not found;
    n := least(quota, room, slots / head.pool_slots, task_room(head, picked));
    continue when n <= 0;
    ids := array(select t.id from task_instance t
      where t.state = 'queued' and t.lane = p_lane and t.pool = p_pool and t.queue = p_queue and t.rank = p_rank and t.dag_id = p_dag
        and t.dag_run_id = p_run and t.task_index = head.task_index and t.id <> all (picked)
      order by t.id limit n for no key update skip locked);
    n := cardinality(ids);
    quota := quota - n;
    room := room - n;
    slots := slots - n * head.pool_slots;
    picked := picked || ids;
  end loop;
  more := quota = 0;
end
$$;

-- Up to `p_limit` DAGs that wait at a place, from the one after `p_last` on and, once around, from the first to `p_last`.
create function waiting_dags(p_lane text, p_pool text, p_queue text, p_rank bigint, p_last text, p_limit integer) returns text[]
language plpgsql stable as $$
declare
  dags text[] := '{}';
  dag text := p_last;
  wrapped boolean := false;
begin
  while cardinality(dags) < p_limit loop
    select t.dag_id into dag from task_instance t
    where t.state = 'queued' and t.lane = p_lane and t.pool = p_pool and t.queue = p_queue and t.rank = p_rank and t.dag_id > dag
    order by t.dag_id limit 1;
    if dag is null and not wrapped then
      wrapped := true;
      dag := '';
      continue;
    end if;
    exit when dag is null or wrapped and dag > p_last;
    dags := dags || dag;
  end loop;
  return dags;
end
$$;

-- The same for the runs of one DAG.
create function waiting_runs(p_lane text, p_pool text, p_queue text, p_rank bigint, p_dag text, p_last bigint, p_limit integer)
returns bigint[] language plpgsql stable as $$
declare
  runs bigint[] := '{}';
  run bigint := p_last;
  wrapped boolean := false;
begin
  while cardinality(runs) < p_limit loop
    select t.dag_run_id into run from task_instance t
    where t.state = 'queued' and t.lane = p_lane and t.pool = p_pool and t.queue = p_queue and t.rank = p_rank and t.dag_id = p_dag
      and t.dag_run_id > run
    order by t.dag_run_id limit 1;
    if run is null and not wrapped then
      wrapped := true;
      run := 0;
      continue;
    end if;
    exit when run is null or wrapped and run > p_last;
    runs := runs || run;
  end loop;
  return runs;
end
$$;

-- Notes who was served last at a place (a DAG; with `p_dag`, one of its runs).
create function note_turn(p_lane text, p_pool text, p_queue text, p_dag text, p_last text) returns void language sql as $$
  insert into claim_turn (lane, pool, queue, dag_id, last, served_at) values (p_lane, p_pool, p_queue, p_dag, p_last, clock_timestamp())
  on conflict (lane, pool, queue, dag_id) do update set last = excluded.last, served_at = excluded.served_at
$$;

-- Up to `p_quota` instances of a DAG, the same number of each of its runs as far as that goes.
create function pick_of_dag(p_lane text, p_pool text, p_queue text, p_rank bigint, p_dag text, p_quota integer,
  inout slots integer, inout picked bigint[], out more boolean) language plpgsql as $$
declare
  quota integer := p_quota;
  runs bigint[];
  at bigint;
  first bigint;
  served bigint;
  run bigint;
  n integer;
  got record;
begin
  more := false;
  runs := waiting_runs(p_lane, p_pool, p_queue, p_rank, p_dag, 0, 2);
  if cardinality(runs) = 1 then
    select g.slots, g.picked, g.more into slots, picked, more
    from pick_of_run(p_lane, p_pool, p_queue, p_rank, p_dag, runs[1], p_quota, slots, picked) g;
    return;
  end if;
  at := coalesce((select last::bigint from claim_turn where lane = p_lane and pool = p_pool and queue = p_queue and dag_id = p_dag), 0);
  <<around>>
  loop
    n := quota + 1;
    runs := waiting_runs(p_lane, p_pool, p_queue, p_rank, p_dag, at, n);
    foreach run in array runs loop
      exit around when run = first or quota = 0 or slots <= 0;
      first := coalesce(first, run);
      at := run;
      got := pick_of_run(p_lane, p_pool, p_queue, p_rank, p_dag, run,
        least(quota, (p_quota + cardinality(runs) - 1) / cardinality(runs)), slots, picked);
      if cardinality(got.picked) > cardinality(picked) then
        served := run;
      end if;
      quota := quota - cardinality(got.picked) + cardinality(picked);
      slots := got.slots;
      picked := got.picked;
      more := more or got.more;
    end loop;
    exit around when quota = 0 or cardinality(runs) < n;
  end loop;
  if served is not null then
    perform note_turn(p_lane, p_pool, p_queue, p_dag, served::text);
  end if;
end
$$;

-- Up to `p_quota` instances of a pool and queue, the same number of each DAG as far as that goes.
create function pick_of_source(p_lane text, p_pool text, p_queue text, p_rank bigint, p_quota integer, p_contended boolean,
  inout slots integer, inout picked bigint[], out more boolean) language plpgsql as $$
declare
  quota integer := p_quota;
  dags text[];
  at text;
  first text;
  served text;
  dag text;
  n integer;
  got record;
begin
  more := false;
  dags := waiting_dags(p_lane, p_pool, p_queue, p_rank, '', 2);
  if cardinality(dags) = 1 and not p_contended then
    select g.slots, g.picked, g.more into slots, picked, more
    from pick_of_dag(p_lane, p_pool, p_queue, p_rank, dags[1], p_quota, slots, picked) g;
    return;
  end if;
  at := coalesce((select last from claim_turn where lane = p_lane and pool = p_pool and queue = p_queue and dag_id = ''), '');
  <<around>>
  loop
    n := quota + 1;
    dags := waiting_dags(p_lane, p_pool, p_queue, p_rank, at, n);
    foreach dag in array dags loop
      exit around when dag = first or quota = 0 or slots <= 0;
      first := coalesce(first, dag);
      at := dag;
      got := pick_of_dag(p_lane, p_pool, p_queue, p_rank, dag,
        least(quota, (p_quota + cardinality(dags) - 1) / cardinality(dags)), slots, picked);
      if cardinality(got.picked) > cardinality(picked) then
        served := dag;
      end if;
      quota := quota - cardinality(got.picked) + cardinality(picked);
      slots := got.slots;
      picked := got.picked;
      more := more or got.more;
    end loop;
    exit around when quota = 0 or cardinality(dags) < n;
  end loop;
  if served is not null then
    perform note_turn(p_lane, p_pool, p_queue, '', served);
  end if;
end
$$;

-- Instances of one rank from the places where it waits: every place gets its share of what its lane has room for. A place is one
-- position of the arrays; `free` is what its pool has left, and with `picked` goes on from place to place.
create function pick_of_rank(p_rank bigint, p_lanes text[], p_pools text[], p_queues text[], p_best bigint[], inout functions integer,
  inout operators integer, inout free integer[], inout picked bigint[]) language plpgsql as $$
declare
  contenders integer := (select count(*) from unnest(p_best) b where b = p_rank);
  room integer;
  again boolean := true;
  got record;
begin
  while again loop
    again := false;
    for i in 1 .. cardinality(p_pools) loop
      room := case p_lanes[i] when 'function' then functions else operators end;
      continue when p_best[i] is distinct from p_rank or free[i] <= 0 or room <= 0;
      got := pick_of_source(p_lanes[i], p_pools[i], p_queues[i], p_rank, (room + contenders - 1) / contenders,
        contenders > 1, free[i], picked);
      again := again or got.more;
      room := cardinality(got.picked) - cardinality(picked);
      functions := functions - case p_lanes[i] when 'function' then room else 0 end;
      operators := operators - case p_lanes[i] when 'function' then 0 else room end;
      picked := got.picked;
      for j in 1 .. cardinality(p_pools) loop
        free[j] := case p_pools[j] when p_pools[i] then got.slots else free[j] end;
      end loop;
    end loop;
  end loop;
end
$$;

-- Chooses queued instances for a worker of these queues that has room for so many functions and operators: highest rank first,
-- within every limit. Of one rank every pool gets its share, in a pool every DAG, of a DAG every run. Chooses less than there is
-- room for only where nothing more may start. The caller holds claim_lock.
create function choose_queued(p_queues text[], p_functions integer, p_operators integer) returns bigint[] language plpgsql as $$
declare
  got record;
  lanes text[];
  pools text[];
  queues text[];
  best bigint[];
  rank_now bigint;
begin
  select p_functions as functions, p_operators as operators, '{}'::integer[] as free, '{}'::bigint[] as picked into got;
  select array_agg(s.lane order by n), array_agg(s.pool order by n), array_agg(s.queue order by n), array_agg(s.free order by n),
    array_agg(s.best order by n)
  into lanes, pools, queues, got.free, best
  from open_sources(array_remove(array[case when p_functions > 0 then 'function' end, case when p_operators > 0 then 'operator' end],
    null), p_queues) with ordinality s (lane, pool, queue, free, best, n);
  loop
    rank_now := (select min(b) from unnest(best) b);
    exit when rank_now is null;
    got := pick_of_rank(rank_now, lanes, pools, queues, best, got.functions, got.operators, got.free, got.picked);
    for i in 1 .. cardinality(pools) loop
      if best[i] = rank_now then
        best[i] := case when got.free[i] > 0 and case lanes[i] when 'function' then got.functions else got.operators end > 0 then (
          select t.rank from task_instance t
          where t.state = 'queued' and t.lane = lanes[i] and t.pool = pools[i] and t.queue = queues[i] and t.rank > rank_now
          order by t.rank limit 1) end;
      end if;
    end loop;
  end loop;
  return got.picked;
end
$$;

-- Makes the attempts of chosen instances. A sensor whose function said "not yet" goes on with its attempt, under a new token.
create function start_attempts(p_worker uuid, p_claim uuid, p_ids bigint[]) returns void language sql as $$
  with resumed as (
    update task_attempt a set state = 'running', worker_id = p_worker, claim_id = p_claim, previous_token = token, token = gen_random_uuid()
    from task_instance t
    where t.id = any (p_ids) and t.state = 'queued' and a.attempt_id = t.attempt_id and a.state = 'up_for_reschedule'
    returning a.task_instance_id
  ), moved as (
    update task_instance t set state = 'running', ended_at = null, wake_at = null, reason = null, start_by = null,
      try_number = t.try_number + (r.task_instance_id is null)::integer,
      attempt_id = case when r.task_instance_id is null then uuidv7() else t.attempt_id end,
      started_at = case when r.task_instance_id is null then now() else t.started_at end
    from unnest(p_ids) chosen left join resumed r on r.task_instance_id = chosen
    where t.id = chosen and t.state = 'queued'
    returning t.id, t.dag_run_id, t.version_id, t.task_index, t.attempt_id, t.try_number, r.task_instance_id is not null as is_resumed
  ), attempt as (
    insert into task_attempt (attempt_id, task_instance_id, dag_run_id, try_number, worker_id, claim_id, deadline_at)
    select m.attempt_id, m.id, m.dag_run_id, m.try_number, p_worker, p_claim, now() + make_interval(secs => d.timeout_ms / 1000.0)
    from moved m join task_def d on d.version_id = m.version_id and d.task_index = m.task_index
    where not m.is_resumed
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state, attempt_id)
  select id, dag_run_id, 'queued', 'running', attempt_id from moved
$$;

-- Most bytes of values that one task may read, and most that travel with a claim; larger ones are fetched on their own, since
-- the answer of a claim must stay below what a jsonb can hold.
create function input_limit() returns bigint language sql immutable as 'select 67108864::bigint';
create function claim_input_limit() returns bigint language sql immutable as 'select 1048576::bigint';

-- What the upstreams whose values an instance reads ended with: {task: {"mapped", "ended": [{"state", "value"}] in map order}}.
-- Null where the values have more than `p_limit` bytes.
create function upstream_values(t task_instance, def task_def, p_limit bigint default input_limit()) returns jsonb language sql stable as $$
  select case when (
    select sum(x.size) from task_instance u join xcom x on x.task_instance_id = u.id
    where u.dag_run_id = t.dag_run_id and u.task_index = any (def.value_indexes)) > p_limit then null else gathered_values(t, def) end
$$;

create function gathered_values(t task_instance, def task_def) returns jsonb language sql stable as $$
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

-- The item of a mapped instance: one of the array, or what the instance that it follows returned.
create function item_of(t task_instance, def task_def) returns jsonb language sql stable as $$
  select coalesce((select i.value from map_item i where i.task_instance_id = t.id), (
    select coalesce(x.value, b.value) from task_instance u
    join xcom x on x.task_instance_id = u.id
    left join xcom_blob b on b.hash = x.blob_hash
    where u.dag_run_id = t.dag_run_id and u.task_index = def.map_over_index and u.map_index = t.map_index))
$$;

-- What only some attempts need to be told is plpgsql: it is prepared when it is asked for, not with every claim.

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
    'item', case when t.map_index >= 0 then item_of(t, d) end,
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
