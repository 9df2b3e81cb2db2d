-- Which database this is.

-- What differs between a database and a copy or a restored backup of it: cluster, database, timeline.
create function database_identity() returns jsonb language sql stable as $$
  select jsonb_build_object('system', (select system_identifier::text from pg_control_system()),
    'database', (select oid::text from pg_database where datname = current_database()),
    'timeline', (select timeline_id from pg_control_checkpoint()))
$$;

-- Ends every lease and starts a new epoch, unless somebody else has since p_epoch. Returns the epoch.
create function start_epoch(p_epoch bigint, p_reason text) returns bigint language plpgsql as $$
declare
  epoch bigint;
begin
  select value::text::bigint into epoch from setting where key = 'epoch' for no key update;
  if epoch is distinct from p_epoch then
    return epoch;
  end if;
  update setting set value = to_jsonb(epoch + 1), updated_at = now() where key = 'epoch';
  update worker set state = 'lost', ended_at = now() where state in ('active', 'draining');
  delete from leader_lease;
  delete from scheduler;
  insert into audit_log (actor, action, details)
  values ('qflow', 'database.restored', jsonb_build_object('epoch', epoch + 1, 'reason', p_reason));
  return epoch + 1;
end
$$;

-- Compares the database with what it was when it was last looked at, and starts an epoch where it is another one. Returns the
-- reason, or null.
create function check_identity() returns text language plpgsql as $$
declare
  known jsonb;
  present jsonb := database_identity();
  reason text;
begin
  select value into known from setting where key = 'identity' for no key update;
  if known = present then
    return null;
  end if;
  insert into setting (key, value) values ('identity', present)
  on conflict (key) do update set value = excluded.value, updated_at = now();
  if known is null then
    return null;
  end if;
  reason := case when known ->> 'system' <> present ->> 'system' then 'it is on another database server'
    when known ->> 'database' <> present ->> 'database' then 'it is a copy, or restored from a backup'
    else 'its server was restored to a point in time' end;
  perform start_epoch((select value::text::bigint from setting where key = 'epoch'), reason);
  return reason;
end
$$;
