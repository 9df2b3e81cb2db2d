-- Services: who may run them, what is to end, what they tell, how they end.

-- Milliseconds of a spec as an interval.
create function interval_of(p_ms jsonb) returns interval language sql immutable as $$
  select make_interval(secs => p_ms::double precision / 1000)
$$;

-- Wait before the next attempt after so many failures on end: full jitter, `p_random` from 0 to 1.
create function service_backoff(p_restart jsonb, p_failures integer, p_random double precision) returns interval
language sql immutable as $$
  select make_interval(secs => p_random / 1000 * least((p_restart ->> 'maxMs')::double precision,
    -- Capped below what a double holds.
    (p_restart ->> 'delayMs')::double precision * power((p_restart ->> 'factor')::double precision, least(p_failures - 1, 60))))
$$;

-- Starts an attempt of up to `p_limit` services that are to run and do not, for a worker that serves their queues. A worker whose
-- lease has run out gets none: what it started would not be trusted.
create function claim_services(p_worker uuid, p_limit integer) returns setof service_attempt language plpgsql as $$
declare
  w worker;
begin
  -- Locking a row writes it: not where nothing waits, which is nearly always.
  if not exists (select from service where active and not paused and attempt_id is null) then
    return;
  end if;
  select * into w from worker where worker_id = p_worker and state = 'active' and lease_expires_at > now() for share; -- guard: service-live-session
  if not found then
    return;
  end if;
  return query
  with due as (
    select s.service_id from service s
    where s.active and not s.paused and s.attempt_id is null and s.queue = any (w.queues)
      and coalesce(s.restart_at, '-infinity') <= now()
      and (coalesce(s.fenced_until, '-infinity') <= now() or s.fenced_host = w.host_id) -- guard: service-fence
    order by s.restart_at nulls first, s.service_id limit p_limit
    -- The row names its living attempt, so a second worker sees it when it gets the lock.
    for no key update skip locked
  ), started as (
    update service s set attempt_number = attempt_number + 1, attempt_id = uuidv7(), restart_at = null, fenced_until = null,
      fenced_host = null, updated_at = now()
    from due where s.service_id = due.service_id
    returning s.*
  )
  insert into service_attempt (attempt_id, service_id, number, version_id, program_hash, restarts_wanted, worker_id, host_id,
    started_at)
  -- Not now(): this transaction may have begun before the one that ended the attempt before.
  select attempt_id, service_id, attempt_number, version_id, program_hash, restarts_wanted, p_worker, w.host_id, clock_timestamp()
  from started
  returning *;
end
$$;

-- Why an attempt is to end now; null = it may go on.
create function service_stop_reason(s service, a service_attempt) returns text language sql immutable as $$
  select case when not s.active then 'removed' when s.paused then 'paused' when s.program_hash <> a.program_hash then 'new version'
    when s.restarts_wanted <> a.restarts_wanted then 'restart' end
$$;

-- The living attempts of a worker, with the reason why each is to end.
create function service_orders(p_worker uuid) returns table (attempt_id uuid, token uuid, reason text) language sql stable as $$
  select a.attempt_id, a.token, service_stop_reason(s, a) from service_attempt a join service s using (service_id)
  where a.worker_id = p_worker and a.state in ('starting', 'running', 'draining')
$$;

-- Whether an attempt is still its worker's, whose session must live; locks the service, then the attempt.
create function own_service_attempt(p_attempt uuid, p_token uuid) returns service_attempt language plpgsql as $$
declare
  a service_attempt;
begin
  perform from service s join service_attempt t using (service_id) where t.attempt_id = p_attempt for no key update of s;
  select t.* into a from service_attempt t join worker w using (worker_id)
  where t.attempt_id = p_attempt and t.token = p_token and t.state in ('starting', 'running', 'draining') -- guard: service-token
    and w.state in ('active', 'draining')
  for no key update of t;
  return a;
end
$$;

-- Takes what an attempt reports: its state, batches and events of datasets, in one commit. A report that was taken already is left
-- alone. False = it is not this worker's any more.
create function report_service(p_attempt uuid, p_token uuid, p_report jsonb) returns boolean language plpgsql as $$
declare
  a service_attempt := own_service_attempt(p_attempt, p_token);
  spec jsonb;
  newest jsonb;
begin
  if a.attempt_id is null then
    return false;
  end if;
  if (p_report ->> 'number')::integer <= a.report then -- guard: service-report-once
    return true;
  end if;
  select v.spec into spec from service s join service_version v on v.id = s.version_id where s.service_id = a.service_id;
  insert into service_progress (service_id, at, attempt_number, batch, rows, batch_ms, input_rate, processed_rate, lag, event_time)
  select a.service_id, clock_timestamp(), a.number, b.batch, b.rows, b."batchMs", b."inputRowsPerSecond", b."processedRowsPerSecond", b.lag, b."eventTime"
  from jsonb_to_recordset(p_report -> 'batches') b (batch bigint, rows bigint, "batchMs" double precision,
    "inputRowsPerSecond" double precision, "processedRowsPerSecond" double precision, lag bigint, "eventTime" timestamptz)
  on conflict do nothing;
  newest := p_report -> 'batches' -> -1;
  update service_attempt set report = (p_report ->> 'number')::integer,
    state = case when p_report ? 'draining' then 'draining' when state = 'starting' and p_report ? 'seen' then 'running' else state end,
    reason = coalesce(p_report ->> 'draining', reason), pid = coalesce((p_report ->> 'pid')::integer, pid),
    ready_at = case when p_report ? 'seen' then coalesce(ready_at, now()) end,
    seen_at = case when p_report ? 'seen' then now() else seen_at end,
    batches = batches + jsonb_array_length(p_report -> 'batches'),
    rows_total = rows_total + coalesce((select sum((b ->> 'rows')::bigint) from jsonb_array_elements(p_report -> 'batches') b), 0),
    progress = coalesce(newest, progress), progress_at = case when newest is null then progress_at else now() end
  where attempt_id = p_attempt;
  perform note_lag(a.service_id, spec -> 'maxLag', (newest ->> 'lag')::bigint);
  perform announce_service_events(a.service_id, p_attempt, interval_of(spec -> 'emitEveryMs'), p_report -> 'events');
  perform note_fields(a.service_id, p_report -> 'fields');
  return true;
end
$$;

-- Keeps which fields documents of a dataset had. Names come from whoever sends documents: there is an end to how many are kept.
create function note_fields(p_service text, p_fields jsonb) returns void language sql as $$
  insert into catalog_field as c (dataset, name, type, service_id)
  select f.dataset, f.name, f.type, p_service from jsonb_to_recordset(p_fields) f (dataset text, name text, type text)
  where (select count(*) from catalog_field k where k.dataset = f.dataset) < 1000 -- guard: catalog-fields-bounded
    or exists (select from catalog_field k where (k.dataset, k.name, k.type) = (f.dataset, f.name, f.type))
  order by 1, 2, 3
  on conflict (dataset, name, type) do update set last_seen_at = now() where c.last_seen_at < now() - interval '1 hour'
$$;

-- Since when a service is too far behind. What is over is told where it was told that it began.
create function note_lag(p_service text, p_max jsonb, p_lag bigint) returns void language plpgsql as $$
declare
  behind boolean := p_lag > (p_max ->> 'records')::bigint;
  recovered boolean;
begin
  if p_lag is null or p_max is null or p_max = 'null' then
    return;
  end if;
  update service set lagging_since = case when behind then coalesce(lagging_since, now()) end, told_lagging = behind and told_lagging
  where service_id = p_service and (behind <> (lagging_since is not null))
  returning old.told_lagging and not behind into recovered;
  if recovered then
    perform tell_service('serviceRecovered', p_service, jsonb_build_object('reason', 'it has caught up', 'lag', p_lag));
  end if;
end
$$;

-- Writes what is to be sent about a service to the outbox, for those its present version names.
create function tell_service(p_event text, p_service text, p_payload jsonb) returns void language plpgsql as $$
begin
  insert into notification (key, event, channel, service_id, payload)
  select format('%s/%s/%s/%s', p_event, p_service, extract(epoch from clock_timestamp()), c.channel), p_event, c.channel, p_service,
    jsonb_build_object('event', p_event, 'at', now(), 'service_id', p_service) || p_payload
  from (
    select distinct t as channel from service s join service_version v on v.id = s.version_id
    cross join jsonb_array_elements(v.spec -> 'notify') n cross join jsonb_array_elements_text(n -> 'to') t
    where s.service_id = p_service and n -> 'on' ? p_event) c;
  if found then
    perform pg_notify('qflow_scheduler', '');
  end if;
end
$$;

-- Appends dataset events of a service. What comes too soon after one of the same partition is counted, and announced later.
create function announce_service_events(p_service text, p_attempt uuid, p_every interval, p_events jsonb) returns void
language plpgsql as $$
declare
  at_once jsonb;
begin
  -- Rows first, in one order, then the lock of events: as whoever flushes does.
  with fresh as (
    select e ->> 'dataset' as dataset, coalesce(e ->> 'partition', '') as partition, count(*) as announcements,
      sum(coalesce((e ->> 'rows')::bigint, 0)) as rows
    from jsonb_array_elements(p_events) e group by 1, 2 order by 1, 2
  ), noted as (
    insert into service_event as p (service_id, dataset, partition, attempt_id, due_at)
    select p_service, dataset, partition, p_attempt, now() + p_every from fresh order by 1, 2, 3
    on conflict (service_id, dataset, partition) do update set attempt_id = excluded.attempt_id,
      announcements = p.announcements + (select f.announcements from fresh f where (f.dataset, f.partition) = (p.dataset, p.partition)),
      rows = p.rows + (select f.rows from fresh f where (f.dataset, f.partition) = (p.dataset, p.partition))
    returning p.service_id, p.attempt_id, p.dataset, p.partition, p.announcements
  ), told as (
    select n.service_id, n.attempt_id, dataset, partition, f.rows
    from noted n join fresh f using (dataset, partition) where n.announcements = 0
  )
  select jsonb_agg(told) into at_once from told;
  perform append_service_events(at_once);
end
$$;

-- Appends an event of a dataset for each of `p_events`; null = there is none.
create function append_service_events(p_events jsonb) returns void language plpgsql as $$
begin
  if p_events is null then
    return;
  end if;
  perform pg_advisory_xact_lock(dataset_lock());
  insert into dataset_event (dataset, key, extra, partition, attempt_id)
  select e.dataset, e.attempt_id || '/' || gen_random_uuid(), jsonb_build_object('service', e.service_id, 'rows', e.rows),
    nullif(e.partition, ''), e.attempt_id
  from jsonb_to_recordset(p_events) e (service_id text, attempt_id uuid, dataset text, partition text, rows bigint)
  order by e.dataset, e.partition;
  perform pg_notify('qflow_scheduler', '');
end
$$;

-- Announces what has waited long enough, and forgets partitions of which nothing came. Returns how many events there are more.
create function flush_service_events(p_limit integer) returns integer language plpgsql as $$
declare
  events jsonb;
begin
  with due as materialized (
    select * from service_event where due_at <= now() order by dataset, partition limit p_limit for update skip locked
  ), forgotten as (
    delete from service_event e using due d
    where (e.service_id, e.dataset, e.partition) = (d.service_id, d.dataset, d.partition) and d.announcements = 0
  ), told as (
    update service_event e set announcements = 0, rows = 0, due_at = now() + interval_of(v.spec -> 'emitEveryMs')
    from due d join service s using (service_id) join service_version v on v.id = s.version_id
    where (e.service_id, e.dataset, e.partition) = (d.service_id, d.dataset, d.partition) and d.announcements > 0
    returning d.service_id, d.attempt_id, d.dataset, d.partition, d.rows
  )
  select jsonb_agg(told) into events from told;
  perform append_service_events(events);
  return coalesce(jsonb_array_length(events), 0);
end
$$;

-- Ends an attempt: `stopped` because it was to, or `failed`. False = it is not this worker's any more.
create function end_service_attempt(p_attempt uuid, p_token uuid, p_state text, p_reason text, p_error jsonb) returns boolean
language plpgsql as $$
declare
  a service_attempt := own_service_attempt(p_attempt, p_token);
  spec jsonb;
  failed integer;
  first_told boolean;
begin
  if a.attempt_id is null then
    return false;
  end if;
  update service_attempt set state = p_state, reason = coalesce(p_reason, reason), error = nullif(p_error, 'null'), ended_at = now()
  where attempt_id = p_attempt;
  select v.spec into spec from service s join service_version v on v.id = s.version_id where s.service_id = a.service_id;
  failed := case when p_state = 'stopped' then 0
    when a.ready_at + interval_of(spec -> 'restart' -> 'healthyMs') <= now() then 1
    else (select failures + 1 from service where service_id = a.service_id) end;
  update service set attempt_id = null, failures = failed, updated_at = now(),
    restart_at = case when failed > 0 then now() + service_backoff(spec -> 'restart', failed, random()) end,
    told_failing = told_failing or failed >= (spec -> 'restart' ->> 'tellAfter')::integer
  where service_id = a.service_id and attempt_id = p_attempt
  returning new.told_failing and not old.told_failing into first_told;
  if first_told then
    perform tell_service('serviceFailing', a.service_id, jsonb_build_object('failures', failed, 'error', p_error, 'attempt', a.number));
  end if;
  -- Others may start it now; the scheduler has its timer.
  perform pg_notify('qflow_work', '');
  return true;
end
$$;

-- Attempts of workers that are gone. Elsewhere than on their host nothing starts before what they left is sure to have ended itself.
create function rescue_services(p_limit integer) returns integer language plpgsql as $$
declare
  n integer;
begin
  with orphan as (
    select s.service_id, s.attempt_id, w.host_id, case when w.state = 'lost' then w.lease_expires_at end as lease
    from service_attempt a join worker w using (worker_id) join service s on s.attempt_id = a.attempt_id
    where a.state in ('starting', 'running', 'draining') and w.state in ('ended', 'lost') -- guard: service-rescue
    order by s.service_id limit p_limit for no key update of s skip locked
  ), freed as (
    update service s set attempt_id = null, fenced_until = o.lease, fenced_host = o.host_id, updated_at = now()
    from orphan o where s.service_id = o.service_id and s.attempt_id = o.attempt_id
    returning o.attempt_id
  )
  update service_attempt a set state = 'lost', ended_at = now(), reason = 'its worker is gone'
  from freed f where a.attempt_id = f.attempt_id and a.state in ('starting', 'running', 'draining');
  get diagnostics n = row_count;
  if n > 0 then
    perform pg_notify('qflow_work', '');
  end if;
  return n;
end
$$;

-- Tells of services that have been behind for too long, and of those that are well again. Returns how many.
create function tell_services(p_limit integer) returns integer language plpgsql as $$
declare
  one record;
  n integer := 0;
begin
  for one in
    select s.service_id, s.lagging_since, a.progress ->> 'lag' as lag from service s join service_version v on v.id = s.version_id
    left join service_attempt a on a.attempt_id = s.attempt_id
    where s.lagging_since is not null and not s.told_lagging and v.spec -> 'maxLag' <> 'null'
      and s.lagging_since + interval_of(v.spec -> 'maxLag' -> 'forMs') <= now()
    order by s.service_id limit p_limit for no key update of s skip locked
  loop
    update service set told_lagging = true where service_id = one.service_id;
    perform tell_service('serviceLagging', one.service_id, jsonb_build_object('since', one.lagging_since, 'lag', one.lag::bigint));
    n := n + 1;
  end loop;
  for one in
    select s.service_id from service s join service_version v on v.id = s.version_id join service_attempt a on a.attempt_id = s.attempt_id
    where s.told_failing and a.state = 'running' and a.ready_at + interval_of(v.spec -> 'restart' -> 'healthyMs') <= now()
    order by s.service_id limit p_limit for no key update of s skip locked
  loop
    update service set told_failing = false, failures = 0 where service_id = one.service_id;
    perform tell_service('serviceRecovered', one.service_id, jsonb_build_object('reason', 'it runs again'));
    n := n + 1;
  end loop;
  return n;
end
$$;
