-- Clocks that have run out. That of an attempt's execution is in task_attempt.deadline_at.

-- Ends runs that are past their timeout as a cancel does. Returns how many.
create function expire_runs(p_limit integer) returns integer language plpgsql as $$
declare
  one bigint;
  n integer := 0;
begin
  for one in
    select id from dag_run where state = 'running' and timeout_at <= now() and cancel_requested_at is null
    order by id limit p_limit for no key update skip locked
  loop
    perform cancel_run(one, 'the run timed out');
    n := n + 1;
  end loop;
  return n;
end
$$;

-- Fails instances that waited too long in the queue, or for their start since the run began. Returns how many, and how many others
-- became ready by that.
create function expire_instances(p_limit integer, out expired integer, out queued integer) language plpgsql as $$
declare
  ids bigint[];
  locked bigint[];
  after record;
begin
  expired := 0;
  queued := 0;
  select array_agg(id) into ids from (
    (select id from task_instance
     where state = 'queued' and queue_timeout is not null and (queued_at at time zone 'UTC') + queue_timeout <= (now() at time zone 'UTC')
     limit p_limit)
    union
    (select id from task_instance
     where state in ('none', 'scheduled', 'queued') and start_by is not null and start_by <= now() limit p_limit)
  ) due;
  if ids is null then
    return;
  end if;
  -- Runs that somebody else changes right now are left for the next look.
  select array_agg(id) into locked from (
    select id from dag_run where id in (select dag_run_id from task_instance where id = any (ids)) and state = 'running'
    order by id for no key update skip locked) run;
  with moved as (
    update task_instance set state = 'failed', ended_at = now(), reason = case when start_by <= now() then 'start timeout' else 'queue timeout' end
    where id = any (ids) and dag_run_id = any (locked) and state in ('none', 'scheduled', 'queued')
      and (start_by <= now() or state = 'queued' and queued_at + queue_timeout <= now())
    returning id, dag_run_id, old.state as from_state, reason
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
    select id, dag_run_id, from_state, 'failed', reason from moved
  )
  select coalesce(array_agg(id), '{}') into ids from moved;
  expired := cardinality(ids);
  select * into after from propagate(ids, '{}');
  queued := after.queued;
end
$$;

-- Sets the clock of the undecided instances of a run that must have started within a time.
create function set_start_clocks(p_run bigint, p_version bigint) returns void language sql as $$
  update task_instance t set start_by = now() + d.start_timeout from task_def d
  where d.version_id = p_version and d.start_timeout is not null and t.dag_run_id = p_run and t.task_index = d.task_index and t.state = 'none'
$$;
