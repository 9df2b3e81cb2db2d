-- Partitions of the history tables.

-- Makes one month's partition of a history table. Where the default partition already holds rows of that month (nobody made
-- it in time) the month stays there.
create function add_partition(p_table text, p_month date, p_from text, p_to text) returns void language plpgsql as $$
declare
  name text := p_table || '_' || to_char(p_month, 'YYYY_MM');
begin
  if to_regclass(name) is null then
    execute format('create table %I partition of %I for values from (%L) to (%L)', name, p_table, p_from, p_to);
  end if;
exception when check_violation then
  raise notice 'rows of % are in the default partition of %', p_month, p_table;
end
$$;

-- Makes sure the partitions of this month and the next are there; whoever comes first makes them.
create function ensure_partitions() returns void language plpgsql as $$
declare
  month date;
  starts timestamptz;
  ends timestamptz;
begin
  perform pg_advisory_xact_lock(7101005); -- guard: partition-lock
  for n in 0 .. 1 loop
    month := date_trunc('month', now() at time zone 'UTC') + make_interval(months => n);
    starts := month::timestamp at time zone 'UTC';
    ends := (month + interval '1 month') at time zone 'UTC';
    perform add_partition('task_event', month, starts::text, ends::text);
    perform add_partition('log_chunk', month, uuid_at(starts)::text, uuid_at(ends)::text);
  end loop;
end
$$;

-- The least UUIDv7 of an instant.
create function uuid_at(p_at timestamptz) returns uuid language sql immutable as $$
  select (lpad(to_hex((extract(epoch from p_at) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
$$;
