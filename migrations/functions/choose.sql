-- Which queued instances a worker gets: in turn, within every limit. The caller holds claim_lock.

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
    got := pick_of_run(p_lane, p_pool, p_queue, p_rank, p_dag, runs[1], p_quota, slots, picked);
    slots := got.slots;
    picked := got.picked;
    more := got.more;
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
    got := pick_of_dag(p_lane, p_pool, p_queue, p_rank, dags[1], p_quota, slots, picked);
    slots := got.slots;
    picked := got.picked;
    more := got.more;
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

-- Everything that waits for a worker, where a worker with this room may take it all: in queues it serves, without limits of its own,
-- and with room for each in its pool and its run. Null where somebody has to stand back: then order and turns matter.
create function choose_all(p_queues text[], p_functions integer, p_operators integer) returns bigint[] language sql as $$
  with waiting as materialized (
    select t.id, t.lane, t.pool, t.pool_slots, t.dag_run_id, t.version_id,
      t.queue = any (p_queues) and t.max_active is null and t.concurrency_key is null as is_free
    from task_instance t where t.state = 'queued' and t.lane in ('function', 'operator') limit p_functions + p_operators + 1
  ), every as (
    select array_agg(id) as ids from waiting
    having count(*) filter (where lane = 'function') <= p_functions and count(*) filter (where lane = 'operator') <= p_operators
      and bool_and(is_free)
      and not exists (
        select from waiting w left join pool p on p.name = w.pool group by w.pool, p.slots
        having sum(w.pool_slots) > coalesce(p.slots, 0) - ( -- guard: pool-room-for-all
          select coalesce(sum(r.pool_slots), 0) from task_instance r where r.state = 'running' and r.pool = w.pool))
      and not exists (
        select from waiting w join dag_version v on v.id = w.version_id group by w.dag_run_id, v.id
        having count(*) > v.max_active_tasks - ( -- guard: run-room-for-all
          select count(*) from task_instance r where r.state = 'running' and r.dag_run_id = w.dag_run_id))
  )
  select case when exists (select from every) then array(
    select t.id from task_instance t where t.id = any ((select ids from every)::bigint[]) and t.state = 'queued'
    order by t.rank, t.id for no key update skip locked) end
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
  everything bigint[] := choose_all(p_queues, p_functions, p_operators);
begin
  if everything is not null then
    return everything;
  end if;
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
