-- Writing what the scheduler decided.

-- Creates the scheduled runs of one batch of plans and moves their DAGs on: [{"dag_id", "version_id", "run": null | {"run_id",
-- "logical", "start", "end", "run_after", "params"}, "skipped", "settled", "next": null | {"run_after", "logical", "start",
-- "end"}}]. The caller holds the locks of the dag rows. Returns how many runs are new and how many instances became ready.
create function apply_plans(p_plans jsonb, out created integer, out ready integer) language plpgsql as $$
declare
  p jsonb;
begin
  created := 0;
  ready := 0;
  for p in select jsonb_array_elements(p_plans) loop
    if p -> 'run' <> 'null' then
      created := created + (create_run(p ->> 'dag_id', p -> 'run' ->> 'run_id', (p ->> 'version_id')::bigint, 'scheduled',
        (p -> 'run' ->> 'logical')::timestamptz, (p -> 'run' ->> 'start')::timestamptz, (p -> 'run' ->> 'end')::timestamptz,
        (p -> 'run' ->> 'run_after')::timestamptz, '{}', p -> 'run' -> 'params', 'scheduler') is not null)::integer;
    end if;
    update dag set plan_pending = false, scheduled_until = coalesce((p ->> 'settled')::timestamptz, scheduled_until),
      skipped_ticks = skipped_ticks + (p ->> 'skipped')::bigint,
      next_run_after = (p -> 'next' ->> 'run_after')::timestamptz, next_logical_date = (p -> 'next' ->> 'logical')::timestamptz,
      next_interval_start = (p -> 'next' ->> 'start')::timestamptz, next_interval_end = (p -> 'next' ->> 'end')::timestamptz
    where dag_id = p ->> 'dag_id';
    if p -> 'run' <> 'null' then
      ready := ready + start_runs(p ->> 'dag_id');
    end if;
  end loop;
end
$$;

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
  perform pg_advisory_xact_lock(7101005);
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
select ensure_partitions();
