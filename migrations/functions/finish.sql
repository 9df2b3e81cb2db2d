-- Recording how attempts ended. An outcome is an object as in AttemptOutcome of src/metadata/work-types.ts.

-- What only some outcomes need is plpgsql: a function in SQL would be prepared with the statement at every call.

-- Infrastructure failures that are forgiven before the task fails.
create function infra_limit() returns integer language sql immutable as 'select 10';

-- Delay before the next try of a task after `failures` counted ones: exponential, capped, with full jitter where asked.
create function retry_delay(p_version bigint, p_index integer, failures integer) returns interval language plpgsql volatile as $$
begin
  return (select make_interval(secs => least(retry_max_ms, retry_delay_ms * power(retry_factor, least(failures, 60) - 1))
    / 1000.0 * case retry_jitter when 'full' then random() else 1 end) from task_def where version_id = p_version and task_index = p_index);
end
$$;

-- Delay after an infrastructure failure, the task's `failures`-th before: 1 s doubling to 60 s, half of it jitter.
create function infra_delay(failures integer) returns interval language plpgsql volatile as $$
begin
  return make_interval(secs => least(60, power(2, least(failures, 6))) * (0.5 + random() / 2));
end
$$;

-- Delay before a sensor's function is called again after it said "not yet" `polls` times: grows where the sensor says so.
create function poke_delay(p_version bigint, p_index integer, polls integer) returns interval language plpgsql stable as $$
declare
  sensor jsonb := (select d.sensor from task_def d where version_id = p_version and task_index = p_index);
begin
  return make_interval(secs => least((sensor ->> 'maxMs')::double precision, (sensor ->> 'everyMs')::double precision
    * power((sensor ->> 'factor')::double precision, least(polls, 60) - 1)) / 1000.0);
end
$$;

-- The first of the chosen ids or names that is not directly downstream; null where all are.
create function bad_choice(def task_def, chosen jsonb) returns text language sql stable as $$
  select c from jsonb_array_elements_text(chosen) c
  where not exists (
    select from task_edge e
    join task_def d on d.version_id = e.version_id and d.task_index = e.downstream_index
    where e.version_id = def.version_id and e.upstream_index = def.task_index
      and d.task_id = coalesce(def.branch_targets ->> c, c)
  )
  limit 1
$$;

-- The state an instance goes to when its attempt ends with outcome `o`, which is neither success nor skipped.
create function unfinished_state(o jsonb, revoked text, p_instance bigint) returns text language plpgsql stable as $$
declare
  t task_instance := (select i from task_instance i where id = p_instance);
begin
  return case
    when revoked = 'cancelled' then 'failed'
    when o ->> 'state' = 'up_for_reschedule' then 'up_for_reschedule'
    when o ->> 'handBack' = 'true' then 'queued'
    -- A sensor ends as it says, also where its worker was lost with it, or died before it heard.
    when revoked = 'timeout' and exists (
      select from task_def where version_id = t.version_id and task_index = t.task_index and sensor is not null) then (
      select case sensor ->> 'onTimeout' when 'skip' then 'skipped' else 'failed' end
      from task_def where version_id = t.version_id and task_index = t.task_index)
    when revoked is null and o ->> 'retry' = 'infra' then
      case when t.infra_failures < infra_limit() then 'up_for_retry' else 'failed' end
    when o ->> 'retry' = 'fatal' then 'failed'
    when t.try_number - t.uncounted_tries <= (
      select retries from task_def where version_id = t.version_id and task_index = t.task_index) then 'up_for_retry'
    else 'failed'
  end;
end
$$;

-- Ends attempts that are still their token's: attempt, instance, history. Returns the attempts this call ended, the instances
-- that reached a final state, and how many are queued again. Of several outcomes of one attempt one counts.
create function end_attempts(p_outcomes jsonb, p_fence boolean, out attempts uuid[], out ended bigint[], out requeued integer)
language sql as $$
  with attempt as (
    update task_attempt a set fenced = p_fence, exit = o -> 'exit', error = o -> 'error',
      -- A sensor's function that said "not yet" is called again in the same attempt, unless somebody ended it meanwhile.
      state = case when o ->> 'state' = 'up_for_reschedule' and a.revoked = 'cancelled' then 'failed' else o ->> 'state' end,
      ended_at = case when o ->> 'state' = 'up_for_reschedule' and a.revoked is distinct from 'cancelled' then null else now() end,
      polls = a.polls + (o ->> 'state' = 'up_for_reschedule')::integer
    from jsonb_array_elements(p_outcomes) o
    where a.attempt_id = (o ->> 'attemptId')::uuid and a.token = (o ->> 'token')::uuid -- guard: outcome-token
      -- What runs is ended by who runs it, what waits by who waits for it.
      and case when o -> 'waits' = 'true' then a.state in ('deferred', 'up_for_reschedule') else a.state = 'running' end -- guard: outcome-state
    returning a.attempt_id, a.task_instance_id, a.revoked, a.polls, a.deadline_at, o
  ), target as materialized (
    -- Decided once: most of what follows depends on it.
    select a.*, case when o ->> 'state' in ('success', 'skipped') then o ->> 'state'
        else unfinished_state(o, revoked, task_instance_id) end as state,
      -- What was told to end is the task's own failure, also where its worker went with it.
      revoked is null and coalesce(o ->> 'retry' = 'infra', false) as is_infra
    from attempt a
  ), moved as (
    update task_instance t set
      state = g.state,
      decision = case when g.state = 'success' then nullif(coalesce(g.o -> 'branch', g.o -> 'proceed'), 'true') end,
      ended_at = case when g.state in ('success', 'failed', 'skipped') then now() end,
      queued_at = case when g.state = 'queued' then now() else t.queued_at end,
      reason = coalesce(g.revoked, g.o ->> 'reason', g.o -> 'error' ->> 'code'),
      uncounted_tries = t.uncounted_tries + (g.state = 'queued' or g.is_infra)::integer,
      infra_failures = t.infra_failures + (g.state <> 'queued' and g.is_infra)::integer,
      wake_at = case when g.state = 'up_for_reschedule' then least(g.deadline_at, now() + poke_delay(t.version_id, t.task_index, g.polls))
        when g.state <> 'up_for_retry' then null
        when g.is_infra then now() + infra_delay(t.infra_failures)
        else now() + coalesce(make_interval(secs => (g.o ->> 'retryAfterMs')::double precision / 1000),
          retry_delay(t.version_id, t.task_index, t.try_number - t.uncounted_tries)) end
    from target g
    where t.id = g.task_instance_id and t.attempt_id = g.attempt_id
    returning t.id, t.dag_run_id, old.state as from_state, t.state, t.reason, g.attempt_id
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, attempt_id, reason)
    select id, dag_run_id, from_state, state, attempt_id, reason from moved
  )
  select coalesce(array_agg(attempt_id), '{}'), coalesce(array_agg(id) filter (where state in ('success', 'failed', 'skipped')), '{}'),
    (count(*) filter (where state = 'queued'))::integer
  from moved
$$;

-- Largest value, in bytes of its text, that is kept beside its instance; larger ones once a content.
create function inline_limit() returns integer language sql immutable as 'select 65536';

-- Keeps the values of ended attempts.
create function keep_values(p_outcomes jsonb, p_attempts uuid[]) returns void language plpgsql as $$
declare
  ids bigint[];
  vals jsonb[];
  largest integer;
begin
  select array_agg(a.task_instance_id), array_agg(o -> 'value'), max(octet_length(o ->> 'value')) into ids, vals, largest
  from jsonb_array_elements(p_outcomes) o
  join task_attempt a on a.attempt_id = (o ->> 'attemptId')::uuid and a.attempt_id = any (p_attempts) and a.state = 'success'
  where o -> 'value' <> 'null';
  if largest > inline_limit() then
    insert into xcom_blob (hash, value)
    select distinct on (1) sha256(convert_to(v::text, 'UTF8')), v from unnest(vals) v where octet_length(v::text) > inline_limit()
    order by 1
    -- Locks the row until the value that uses it is committed: what is removed for want of use is not this one.
    on conflict (hash) do update set used_at = now(); -- guard: value-blob-once
  end if;
  insert into xcom (task_instance_id, value, blob_hash, size)
  select r.id, case when octet_length(r.value::text) <= inline_limit() then r.value end,
    case when octet_length(r.value::text) > inline_limit() then sha256(convert_to(r.value::text, 'UTF8')) end, octet_length(r.value::text)
  from unnest(ids, vals) r (id, value)
  on conflict (task_instance_id) do update set value = excluded.value, blob_hash = excluded.blob_hash, size = excluded.size, at = now();
end
$$;

-- Branch outcomes that choose what is not directly downstream become fatal failures that name it.
create function checked_choices(p_outcomes jsonb) returns jsonb language sql stable as $$
  select jsonb_agg(case when bad is null then o else (o - 'value' - 'events') || jsonb_build_object('state', 'failed', 'retry', 'fatal',
    'error', jsonb_build_object('code', 'BRANCH_INVALID', 'message', format('the branch chose %s, which is not directly downstream', bad),
      'remedy', 'Return names of `to`, or ids of direct downstream tasks.')) end)
  from jsonb_array_elements(p_outcomes) o
  left join lateral (
    select bad_choice(d, o -> 'branch') as bad from task_attempt a
    join task_instance t on t.id = a.task_instance_id
    join task_def d on d.version_id = t.version_id and d.task_index = t.task_index
    where a.attempt_id = (o ->> 'attemptId')::uuid and jsonb_typeof(o -> 'branch') = 'array'
  ) b on true
$$;

-- Skips what the given branches did not choose (direct downstream that no chosen task leads to) and everything below those of
-- them that are short circuits which do not proceed. A task of rule `always` starts at once and a teardown is never left out.
-- Returns the skipped instances.
create function skip_unchosen(p_deciders bigint[]) returns bigint[] language sql as $$
  with recursive decision as (
    select t.dag_run_id, t.version_id, t.task_index, t.decision <> 'false' as is_branch, t.decision as branch, d.branch_targets,
      -- An upstream has a lower index: beyond the last of its direct downstream nothing matters to a branch.
      (select max(e.downstream_index) from task_edge e
       where t.decision <> 'false' and e.version_id = t.version_id and e.upstream_index = t.task_index) as last
    from task_instance t
    join task_def d on d.version_id = t.version_id and d.task_index = t.task_index
    where t.id = any (p_deciders) and t.state = 'success' and t.decision is not null
  ), choice as (
    select b.*, e.downstream_index, b.is_branch and exists (
      select from jsonb_array_elements_text(case when b.is_branch then b.branch else '[]' end) c
      where coalesce(b.branch_targets ->> c, c) = d.task_id) as chosen
    from decision b
    join task_edge e on e.version_id = b.version_id and e.upstream_index = b.task_index
    join task_def d on d.version_id = e.version_id and d.task_index = e.downstream_index
  ), below as (
    -- What is reached from chosen tasks, and (short circuit) from every direct downstream.
    select dag_run_id, version_id, task_index as origin, downstream_index as task_index, is_branch, last
    from choice where chosen or not is_branch
    union
    select b.dag_run_id, b.version_id, b.origin, e.downstream_index, b.is_branch, b.last
    from below b join task_edge e on e.version_id = b.version_id and e.upstream_index = b.task_index
    where b.last is null or e.downstream_index <= b.last
  ), unwanted as (
    select dag_run_id, downstream_index as task_index from choice c
    where is_branch and not chosen and not exists (
      select from below b where b.dag_run_id = c.dag_run_id and b.origin = c.task_index and b.task_index = c.downstream_index)
    union
    select dag_run_id, task_index from below where not is_branch
  ), moved as (
    update task_instance t set state = 'skipped', ended_at = now(), reason = 'not chosen'
    from unwanted u
    where t.dag_run_id = u.dag_run_id and t.task_index = u.task_index and t.state = 'none'
      and t.rule not in ('always', 'all_done_setup_success')
    returning t.id, t.dag_run_id, t.reason
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
    select id, dag_run_id, 'none', 'skipped', reason from moved
  )
  select coalesce(array_agg(id), '{}') from moved
$$;

-- Key of the lock under which dataset events get their ids, so that ids commit in ascending order.
create function dataset_lock() returns bigint language sql immutable as 'select 7101002::bigint';

-- Appends the dataset events of the ended attempts; known keys are left out. Returns how many are new.
create function record_events(p_outcomes jsonb, p_attempts uuid[]) returns integer language plpgsql as $$
declare
  n integer;
begin
  if not p_outcomes @? '$[*].events[*]' then
    return 0;
  end if;
  perform pg_advisory_xact_lock(dataset_lock()); -- guard: event-order
  insert into dataset_event (dataset, key, extra, partition, task_instance_id, attempt_id)
  select e.event ->> 'dataset', coalesce(e.event ->> 'key', a.attempt_id || '/' || e.position), coalesce(e.event -> 'extra', 'null'),
    -- What a run of one partition writes is of that partition.
    coalesce(e.event ->> 'partition', r.partition), a.task_instance_id, a.attempt_id
  from jsonb_array_elements(p_outcomes) with ordinality o (outcome, position)
  join task_attempt a on a.attempt_id = (o.outcome ->> 'attemptId')::uuid and a.attempt_id = any (p_attempts) and a.state = 'success'
  join dag_run r on r.id = a.dag_run_id
  cross join lateral jsonb_array_elements(o.outcome -> 'events') with ordinality e (event, position)
  order by o.position, e.position
  on conflict (dataset, key) do nothing; -- guard: event-once
  get diagnostics n = row_count;
  return n;
end
$$;

-- Records outcomes with all that follows from them. `queued` = instances that became ready, `closed` = runs that ended,
-- `events` = new dataset events. `p_fence` is set where somebody else than the attempt's worker ends it.
create function finish_attempts(p_outcomes jsonb, p_fence boolean, out attempts uuid[], out queued integer, out closed integer,
  out events integer) language plpgsql as $$
declare
  outcomes jsonb := p_outcomes;
  ids uuid[] := array(select (o ->> 'attemptId')::uuid from jsonb_array_elements(p_outcomes) o);
  done record;
  after record;
  decides boolean := p_outcomes @? '$[*] ? (exists (@.branch[*]) || @.branch.size() == 0 || @.proceed == false)';
begin
  -- Every change of a run's instances, claims apart, happens under the run's lock; runs are locked in order of id.
  perform from dag_run where id in (select dag_run_id from task_attempt where attempt_id = any (ids))
  order by id for no key update; -- guard: run-lock
  if decides then
    outcomes := checked_choices(outcomes);
  end if;
  done := end_attempts(outcomes, p_fence);
  attempts := done.attempts;
  -- Strict: lax would look into an array, and an empty one holds nothing.
  if outcomes @? 'strict $[*] ? (@.value != null)' then
    perform keep_values(outcomes, attempts);
  end if;
  events := record_events(outcomes, attempts);
  if decides then
    done.ended := done.ended || skip_unchosen(done.ended);
  end if;
  after := propagate(done.ended, '{}');
  queued := after.queued + done.requeued;
  closed := after.closed;
end
$$;
