-- Deadlines, and the outbox of notifications.

-- Writes what is to be sent about an event: to the channels of the version's rules, and to those given. Nothing is sent twice
-- for one key.
create function notify_event(p_event text, p_version bigint, p_key text, p_channels text[], p_payload jsonb) returns void
language plpgsql as $$
begin
  insert into notification (key, event, channel, dag_id, payload)
  select p_event || '/' || p_key || '/' || c.channel, p_event, c.channel, p_payload ->> 'dag_id',
    jsonb_build_object('event', p_event, 'at', now()) || p_payload
  from (
    select channel from notify_rule where version_id = p_version and event = p_event union select unnest(p_channels)
  ) c
  on conflict (key) do nothing; -- guard: notification-once
  if found then
    perform pg_notify('qflow_scheduler', '');
  end if;
end
$$;

-- What every notification about a run says.
create function run_payload(run dag_run) returns jsonb language sql stable as $$
  select jsonb_build_object('dag_id', run.dag_id, 'run_id', run.run_id, 'run_state', run.state, 'run_type', run.kind,
    'logical_date', run.logical_date, 'started_at', run.started_at, 'ended_at', run.ended_at, 'note', run.note)
$$;

-- A run ended: its deadlines are over, and who wants to know is told, with the tasks that failed.
create function tell_run_end() returns trigger language plpgsql as $$
declare
  about text := case new.state when 'failed' then 'runFailed' else 'runSucceeded' end;
begin
  delete from deadline where dag_run_id = new.id;
  if exists (select from notify_rule where version_id = new.version_id and event = about) then
    perform notify_event(about, new.version_id, format('%s/%s', new.id, extract(epoch from now())), '{}', run_payload(new)
      || jsonb_build_object('cancelled', new.cancel_requested_at is not null, 'failed_tasks', array(
        select distinct task_id from task_instance where dag_run_id = new.id and state = 'failed' order by task_id limit 20)));
  end if;
  return null;
end
$$;

create trigger dag_run_ended after update of state on dag_run for each row
  when (old.state <> new.state and new.state in ('success', 'failed'))
  execute function tell_run_end();

-- A task instance failed for good, or is tried again. Of the items of a map the first of each try is told. What somebody
-- cancelled is no news.
create function tell_task(t task_instance) returns void language plpgsql as $$
declare
  about text := case t.state when 'failed' then 'taskFailed' else 'taskRetry' end;
begin
  if t.reason is distinct from 'cancelled' and exists (select from notify_rule where version_id = t.version_id and event = about) then
    perform notify_event(about, t.version_id, format('%s/%s/%s', t.dag_run_id, t.task_id, t.try_number), '{}', run_payload(r)
      || jsonb_build_object('task_id', t.task_id, 'map_index', t.map_index, 'try_number', t.try_number, 'state', t.state,
        'reason', t.reason, 'retry_at', t.wake_at, 'error', (
          select a.error from task_attempt a where a.attempt_id = t.attempt_id)))
    from dag_run r where r.id = t.dag_run_id;
  end if;
end
$$;

-- A DAG file cannot be loaded: the DAGs it held go on with their last good version.
create function tell_import_error() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and old.message = new.message then
    return null;
  end if;
  perform notify_event('importError', d.version_id, format('%s/%s', d.dag_id, extract(epoch from now())), '{}', jsonb_build_object(
    'dag_id', d.dag_id, 'file', new.file, 'line', new.line, 'error', jsonb_build_object('code', new.code, 'message', new.message,
      'remedy', new.remedy)))
  from dag d where d.file = new.file and d.active and d.version_id is not null;
  return null;
end
$$;

create trigger import_error_told after insert or update of message on import_error for each row
  execute function tell_import_error();

-- When a deadline is due that counts from `p_queued` or from what is known of the run; null while that is not known.
create function deadline_due(p_deadline jsonb, run dag_run, p_queued timestamptz) returns timestamptz language sql stable as $$
  select case p_deadline ->> 'from' when 'runStart' then run.started_at when 'logicalDate' then run.logical_date else p_queued end
    + make_interval(secs => (p_deadline ->> 'afterMs')::double precision / 1000)
$$;

-- Deadlines of a run: its own when it is made and when it starts first, and with that those of its tasks that count from it.
create function set_run_deadlines() returns trigger language plpgsql as $$
begin
  insert into deadline (dag_run_id, due_at)
  select new.id, deadline_due(v.deadline, new, new.queued_at) from dag_version v
  where v.id = new.version_id and v.deadline is not null and deadline_due(v.deadline, new, new.queued_at) is not null
  on conflict do nothing;
  if tg_op = 'UPDATE' and exists (select from task_def where version_id = new.version_id and deadline ->> 'from' = 'runStart') then
    insert into deadline (dag_run_id, task_instance_id, due_at)
    select new.id, t.id, deadline_due(t.deadline, new, null) from task_instance t
    where t.dag_run_id = new.id and t.deadline ->> 'from' = 'runStart' and not is_ended(t.state)
    on conflict do nothing;
  end if;
  return null;
end
$$;

create trigger dag_run_born after insert on dag_run for each row execute function set_run_deadlines();
create trigger dag_run_started after update of started_at on dag_run for each row
  when (old.started_at is null and new.started_at is not null and new.state = 'running')
  execute function set_run_deadlines();

-- The deadline of a task instance: set when what it counts from is known and the instance was never tried, gone when it has ended.
create function track_deadline(t task_instance) returns void language plpgsql as $$
begin
  if is_ended(t.state) then
    delete from deadline where task_instance_id = t.id;
  elsif t.try_number = 0 then
    insert into deadline (dag_run_id, task_instance_id, due_at)
    select r.id, t.id, deadline_due(t.deadline, r, t.queued_at) from dag_run r
    where r.id = t.dag_run_id and deadline_due(t.deadline, r, t.queued_at) is not null
    on conflict do nothing;
  end if;
end
$$;

-- Fires up to `p_limit` deadlines that have been missed, each once; several schedulers share them.
create function fire_deadlines(p_limit integer) returns integer language plpgsql as $$
declare
  one record;
  n integer := 0;
begin
  for one in
    with due as (
      select ctid from deadline where fired_at is null and due_at <= now() order by due_at limit p_limit for no key update skip locked
    )
    update deadline d set fired_at = now() from due where d.ctid = due.ctid
    returning d.*
  loop
    n := n + 1;
    perform notify_event('deadlineMissed', r.version_id, format('%s/%s', r.id, coalesce(t.id::text, 'run')),
      array(select jsonb_array_elements_text(coalesce(t.deadline, v.deadline) -> 'notify')), run_payload(r) || jsonb_build_object(
        'due_at', one.due_at) || case when t.id is null then '{}' else jsonb_build_object('task_id', t.task_id, 'map_index', t.map_index,
        'state', t.state, 'try_number', t.try_number) end)
    from dag_run r
    join dag_version v on v.id = r.version_id
    left join task_instance t on t.id = one.task_instance_id
    where r.id = one.dag_run_id;
  end loop;
  return n;
end
$$;
