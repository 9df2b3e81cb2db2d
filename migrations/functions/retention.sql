-- Removing what is over and old.

-- Adds to a counter of /metrics.
create function count_metric(p_name text, p_by bigint) returns void language sql as $$
  insert into metric_counter as c (name, value) select p_name, p_by where p_by > 0
  on conflict (name) do update set value = c.value + excluded.value
$$;

-- How long the runs of each DAG are kept after their end: the option of its present version, else p_keep; null = for ever.
create function run_retention(p_keep interval) returns table (dag_id text, keep interval) language sql stable as $$
  select d.dag_id, case when v.spec ? 'retentionMs' then make_interval(secs => (v.spec ->> 'retentionMs')::double precision / 1000)
    else p_keep end
  from dag d left join dag_version v on v.id = d.version_id
$$;

-- From when on history is kept for certain: the longest retention of any DAG; null where one keeps its runs for ever.
create function history_from(p_keep interval) returns timestamptz language sql stable as $$
  select case when bool_and(keep is not null) then now() - greatest(max(keep), p_keep) end
  from (select keep from run_retention(p_keep) union all select p_keep) k
$$;

-- Removes ended runs that are older than their retention, oldest first, up to about p_instances task instances (at least one
-- run), with all that belongs to them. Their history and logs go with their partitions, unless these are kept for much longer.
create function prune_runs(p_keep interval, p_instances integer, out runs integer, out instances integer) language plpgsql as $$
declare
  candidates bigint[];
  chosen bigint[];
  short_lived bigint[];
  gone bigint[];
  horizon timestamptz := history_from(p_keep);
begin
  candidates := array(
    select r.id from dag_run r where r.id = any (array(
      select c.id from run_retention(p_keep) k cross join lateral (
        select id from dag_run where dag_id = k.dag_id and ended_at < now() - k.keep order by ended_at limit 100) c
      where k.keep is not null limit 500))
      and r.state in ('success', 'failed') and r.ended_at is not null
    order by r.id for update skip locked);
  -- In a statement after the one that locked: what is running again is not there any more.
  chosen := array(
    select id from (
      select id, sum(n) over (order by id) - n as before from (
        select r.id, count(t.id) as n from dag_run r left join task_instance t on t.dag_run_id = r.id
        where r.id = any (candidates) group by r.id) counted) summed
    where before < p_instances);
  short_lived := array(
    select r.id from dag_run r join run_retention(p_keep) k using (dag_id)
    where r.id = any (chosen) and (horizon is null or now() - k.keep > horizon + interval '31 days'));
  gone := array(select id from task_instance where dag_run_id = any (chosen));
  if short_lived <> '{}' then
    delete from log_chunk where attempt_id in (select a.attempt_id from task_attempt a join task_instance t on t.id = a.task_instance_id
      where t.dag_run_id = any (short_lived));
    delete from task_event where dag_run_id = any (short_lived);
  end if;
  delete from xcom where task_instance_id = any (gone);
  delete from map_item where task_instance_id = any (gone);
  delete from task_attempt where task_instance_id = any (gone);
  delete from dag_run_event where dag_run_id = any (chosen);
  delete from task_instance where id = any (gone);
  delete from dag_run where id = any (chosen);
  runs := cardinality(chosen);
  instances := cardinality(gone);
end
$$;

-- Partitions of the history whose every row is older than the longest retention, and belongs to no run that is left.
create function old_partitions(p_keep interval) returns table (name text) language sql stable as $$
  select p.name from (
    select c.oid::regclass::text as name, (to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month') at time zone 'UTC' as ends
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent in ('task_event'::regclass, 'log_chunk'::regclass) and c.relname ~ '_\d{4}_\d{2}$') p
  where p.ends < history_from(p_keep) and not exists (select from dag_run where queued_at < p.ends)
  order by p.ends, p.name
$$;
