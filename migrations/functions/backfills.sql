-- Backfills: runs of past dates beside the live ones. All of this happens under the lock of the DAG.

-- What becomes of a date of a backfill: `created` = it gets a run. Dates that the schedule is still to come to are left to it.
create function backfill_outcome(p_dag text, p_reprocess text, p_logical timestamptz, p_scheduled_from timestamptz) returns text
language sql stable as $$
  select case
    when exists (select from dag_run where dag_id = p_dag and logical_date = p_logical and state in ('queued', 'running')) then 'in_flight'
    when latest.state is null then case when p_logical >= p_scheduled_from then 'scheduled' else 'created' end
    when p_reprocess = 'all' or p_reprocess = 'failed' and latest.state = 'failed' then 'created'
    else 'exists'
  end
  from (select (select state from dag_run where dag_id = p_dag and logical_date = p_logical order by id desc limit 1) as state) latest
$$;

-- The first date that the schedule of a DAG that catches up on everything is still to make a run of; null where it makes none of
-- past dates.
create function scheduled_from(p_dag text) returns timestamptz language sql stable as $$
  select coalesce(d.scheduled_until + interval '1 microsecond', (v.spec ->> 'start')::timestamptz, d.created_at)
  from dag d join dag_version v on v.id = d.version_id
  where d.dag_id = p_dag and d.active and d.catchup = 'all' and d.schedule ->> 'kind' in ('cron', 'cronInterval', 'every')
$$;

-- Goes on with a backfill: makes and starts runs of its next dates while it has room, and closes it after the last. Looks at up to
-- `p_limit` dates. `more` = it stopped at that number.
create function advance_backfill(p_backfill bigint, p_version bigint, p_params jsonb, p_limit integer, out created integer,
  out ready integer, out more boolean) language plpgsql as $$
declare
  b backfill;
  day backfill_date;
  room integer;
  seen integer := 0;
  verdict text;
  horizon timestamptz;
begin
  created := 0;
  ready := 0;
  more := false;
  perform from dag d join backfill f on f.dag_id = d.dag_id where f.id = p_backfill and d.active and not d.paused for no key update of d;
  if not found then
    return;
  end if;
  select * into b from backfill where id = p_backfill and completed_at is null and not paused for no key update;
  if b.id is null then
    return;
  end if;
  horizon := scheduled_from(b.dag_id);
  room := b.max_active_runs - (select count(*) from dag_run where backfill_id = b.id and state in ('queued', 'running'));
  for day in select * from backfill_date where backfill_id = b.id and outcome is null order by position limit p_limit loop
    exit when room <= 0; -- guard: backfill-room
    verdict := backfill_outcome(b.dag_id, b.reprocess, day.logical_date, horizon);
    if verdict = 'created' then
      perform create_run(b.dag_id, 'backfill__' || to_char(day.logical_date at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '_' || b.id,
        p_version, 'backfill', day.logical_date, day.interval_start, day.interval_end, null, b.conf, p_params, b.created_by,
        p_backfill => b.id);
      created := created + 1;
      room := room - 1;
    end if;
    update backfill_date set outcome = verdict where backfill_id = b.id and position = day.position;
    seen := seen + 1;
  end loop;
  ready := start_runs(b.dag_id);
  more := seen = p_limit;
  update backfill set completed_at = now(), updated_at = now()
  where id = b.id and not exists (select from backfill_date where backfill_id = b.id and outcome is null)
    and not exists (select from dag_run where backfill_id = b.id and state in ('queued', 'running'));
end
$$;

-- Ends a backfill: no more runs of it are made, those that have not started are cancelled, those that run go on. Returns how many
-- run; null where it has ended already.
create function cancel_backfill(p_backfill bigint) returns integer language plpgsql as $$
declare
  one bigint;
begin
  perform from dag d join backfill f on f.dag_id = d.dag_id where f.id = p_backfill for no key update of d;
  perform from backfill where id = p_backfill and completed_at is null for no key update;
  if not found then
    return null;
  end if;
  update backfill set completed_at = now(), updated_at = now(), cancelled = true where id = p_backfill;
  update backfill_date set outcome = 'cancelled' where backfill_id = p_backfill and outcome is null;
  for one in select id from dag_run where backfill_id = p_backfill and state = 'queued' order by id loop
    perform cancel_run(one);
  end loop;
  return (select count(*) from dag_run where backfill_id = p_backfill and state = 'running');
end
$$;
