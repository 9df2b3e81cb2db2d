-- Waits: instances that wait for something outside without a process (`deferred`: the scheduler checks; `up_for_reschedule`: a
-- sensor's function between two calls).

-- What an instance leaves when it stops waiting, whoever made it stop: its wait, and its attempt where nobody else ended it.
create function end_wait(t task_instance) returns void language plpgsql as $$
begin
  delete from task_wait where task_instance_id = t.id;
  update task_attempt set ended_at = now(), state = case t.state when 'success' then 'success' when 'failed' then 'failed' else 'skipped' end
  where attempt_id = t.attempt_id and state in ('deferred', 'up_for_reschedule');
end
$$;

-- Gives up to `p_limit` queued instances that need no worker an attempt and a wait. Returns how many.
create function admit_waits(p_limit integer) returns integer language sql as $$
  with chosen as (
    select id from task_instance where state = 'queued' and lane = 'wait' order by id limit p_limit for no key update skip locked
  ), moved as (
    update task_instance t set state = 'deferred', try_number = try_number + 1, attempt_id = uuidv7(), started_at = now(), ended_at = null,
      wake_at = null, reason = null, start_by = null
    from chosen c where t.id = c.id
    returning t.id, t.dag_run_id, t.version_id, t.task_index, t.attempt_id, t.try_number
  ), attempt as (
    insert into task_attempt (attempt_id, task_instance_id, dag_run_id, try_number, claim_id, state, deadline_at)
    select m.attempt_id, m.id, m.dag_run_id, m.try_number, gen_random_uuid(), 'deferred', now() + make_interval(secs => d.timeout_ms / 1000.0)
    from moved m join task_def d on d.version_id = m.version_id and d.task_index = m.task_index
  ), wait as (
    insert into task_wait (task_instance_id, attempt_id, kind, deadline)
    select m.id, m.attempt_id, d.operator ->> 'name', now() + make_interval(secs => d.timeout_ms / 1000.0)
    from moved m join task_def d on d.version_id = m.version_id and d.task_index = m.task_index
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, attempt_id)
    select id, dag_run_id, 'queued', 'deferred', attempt_id from moved
  )
  select count(*)::integer from moved
$$;

-- Leases up to `p_limit` due waits for a check, at most `p_share` of one resource; `p_busy` = checks under way by resource. What is
-- beyond the share of its resource the next call passes over. They are as src/metadata/waits.ts reads them. A lease that is not
-- given back ends after `p_seconds`.
create function lease_waits(p_limit integer, p_share integer, p_busy jsonb, p_seconds integer) returns jsonb language sql
  set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
  set cpu_tuple_cost = 1 set cpu_index_tuple_cost = 1
as $$
  with due as (
    select task_instance_id, resource, wake_at from task_wait
    where wake_at <= now() and coalesce((p_busy ->> resource)::integer, 0) < p_share
    order by wake_at limit p_limit for update skip locked -- guard: wait-share
  ), ranked as (
    select task_instance_id, wake_at, resource, row_number() over (partition by resource order by wake_at)
      + coalesce((p_busy ->> resource)::integer, 0) as place
    from due
  ), chosen as (
    select task_instance_id from ranked where resource is null or place <= p_share order by wake_at limit p_limit
  ), leased as (
    update task_wait w set lease = gen_random_uuid(), wake_at = now() + make_interval(secs => p_seconds)
    from chosen c where w.task_instance_id = c.task_instance_id
    returning w.*
  )
  select coalesce(jsonb_agg(jsonb_build_object('taskInstanceId', t.id, 'attemptId', a.attempt_id, 'token', a.token, 'lease', w.lease,
    'kind', w.kind, 'condition', w.condition, 'key', w.key, 'resource', w.resource, 'polls', w.polls, 'note', w.note,
    'logLines', w.log_lines, 'late', w.deadline <= now(), 'at', now(), 'waitedMs', extract(epoch from now() - a.started_at) * 1000,
    'timeoutMs', d.timeout_ms, 'sensor', d.sensor, 'emits', d.emits, 'given', case when w.condition is null then jsonb_build_object(
      'config', d.operator -> 'config', 'params', r.params, 'dagId', t.dag_id, 'runId', r.run_id, 'taskId', t.task_id,
      'mapIndex', t.map_index, 'logicalDate', r.logical_date, 'intervalStart', r.interval_start, 'intervalEnd', r.interval_end, 'partition', r.partition,
      'runCreatedAt', r.queued_at,
      'upstream', case when d.value_indexes = '{}' then '{}' else upstream_values(t, d) end) end)), '[]')
  from leased w
  join task_instance t on t.id = w.task_instance_id
  join task_attempt a on a.attempt_id = w.attempt_id
  join task_def d on d.version_id = t.version_id and d.task_index = t.task_index
  join dag_run r on r.id = t.dag_run_id
$$;

-- Gives leases back with what the checks found: [{"taskInstanceId", "lease", "condition", "key", "resource", "wakeInMs" or "wakeAt"
-- (both null = at the deadline), "note", "logLines", "checked"}]. A wait whose lease was taken away stays as it is. Returns how
-- many were kept.
create function rearm_waits(p_waits jsonb) returns integer language sql as $$
  with given as (
    select w.* from jsonb_to_recordset(p_waits) w ("taskInstanceId" bigint, lease uuid, condition jsonb, key text, resource text,
      "wakeInMs" double precision, "wakeAt" timestamptz, note text, "logLines" integer, checked boolean)
  ), armed as (
    update task_wait w set condition = g.condition, key = g.key, resource = g.resource, note = g.note, log_lines = g."logLines", lease = null,
      polls = w.polls + g.checked::integer, wake_at = least(w.deadline, g."wakeAt", now() + make_interval(secs => g."wakeInMs" / 1000.0))
    from given g
    where w.task_instance_id = g."taskInstanceId" and w.lease = g.lease -- guard: wait-lease
    returning 1
  )
  select count(*)::integer from armed
$$;

-- What there is to do about waits, in one look: {"queued", "pokes", "waits", "nextInMs"}; the last is until the next is due, null
-- where nothing waits for a time.
create function due_waits() returns jsonb language sql stable as $$
  select jsonb_build_object(
    'queued', exists (select from task_instance where state = 'queued' and lane = 'wait'),
    'pokes', exists (select from task_instance where state = 'up_for_reschedule' and wake_at <= now()),
    'waits', exists (select from task_wait where wake_at <= now()),
    'nextInMs', extract(epoch from least((select min(wake_at) from task_wait where wake_at > now()),
      (select min(wake_at) from task_instance where state = 'up_for_reschedule' and wake_at > now())) - now()) * 1000)
$$;

-- Queues sensors whose next call is due. Those past their deadline are left for finish_waits. Returns how many are queued.
create function queue_pokes(p_limit integer) returns integer language sql as $$
  with due as (
    select t.id from task_instance t join task_attempt a on a.attempt_id = t.attempt_id
    where t.state = 'up_for_reschedule' and t.wake_at <= now() and a.deadline_at > now()
    order by t.wake_at limit p_limit for no key update of t skip locked
  ), moved as (
    update task_instance t set state = 'queued', queued_at = now(), wake_at = null from due d where t.id = d.id
    returning t.id, t.dag_run_id
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state)
    select id, dag_run_id, 'up_for_reschedule', 'queued' from moved
  )
  select count(*)::integer from moved
$$;

-- Ends waits as the ordinary end of their attempts, with all that follows. Outcomes as in finish_attempts, of attempts that wait.
-- Locks: runs, then the order of dataset events, then waits by id; so do those who wake waits. Planned for large tables, as in
-- finish_and_claim.
create function finish_waits(p_outcomes jsonb, out attempts uuid[], out queued integer, out closed integer, out events integer)
language plpgsql
  set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
  set cpu_tuple_cost = 1 set cpu_index_tuple_cost = 1
as $$
declare
  ids uuid[] := array(select (o ->> 'attemptId')::uuid from jsonb_array_elements(p_outcomes) o);
  done record;
begin
  perform from dag_run where id in (select dag_run_id from task_attempt where attempt_id = any (ids)) order by id for no key update;
  if p_outcomes @? '$[*].events[*]' then
    perform pg_advisory_xact_lock(dataset_lock());
  end if;
  perform from task_wait where task_instance_id in (select task_instance_id from task_attempt where attempt_id = any (ids))
  order by task_instance_id for update;
  select * into done from finish_attempts((select jsonb_agg(o || '{"waits": true}') from jsonb_array_elements(p_outcomes) o), false);
  attempts := done.attempts;
  queued := done.queued;
  closed := done.closed;
  events := done.events;
end
$$;

-- An event of a dataset makes the waits for it due, also those that are being checked right now.
create function wake_dataset_waits() returns trigger language plpgsql as $$
begin
  update task_wait set wake_at = now(), lease = null
  where task_instance_id in (
    select w.task_instance_id from task_wait w
    where w.kind = 'dataset_sensor' and w.key in (select dataset from fresh)
    order by w.task_instance_id for update);
  if found then
    perform pg_notify('qflow_scheduler', '');
  end if;
  return null;
end
$$;

create trigger dataset_event_wakes after insert on dataset_event referencing new table as fresh for each statement
  execute function wake_dataset_waits();

-- The end of a run makes the waits for its DAG due. One that is locked is being checked or ended: the next check sees the run.
create function wake_run_waits() returns trigger language plpgsql as $$
begin
  update task_wait set wake_at = now(), lease = null
  where task_instance_id in (
    select w.task_instance_id from task_wait w where w.kind = 'task_sensor' and w.key = new.dag_id for update skip locked);
  return null;
end
$$;

create trigger dag_run_wakes after update of state on dag_run for each row
  when (new.state in ('success', 'failed') and old.state <> new.state)
  execute function wake_run_waits();
