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
