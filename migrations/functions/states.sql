-- The guards of task_instance.state and the trigger rules. What is asked a row at a time is plpgsql: a function in SQL becomes part of
-- every statement that calls it, and is prepared with it at every call.

create function refuse_move() returns trigger language plpgsql as $$
begin
  raise exception 'task instance % cannot go from % to %', new.id, case tg_op when 'UPDATE' then old.state end, new.state
    using errcode = 'QF001';
end
$$;

-- The pairs are those of src/metadata/task-states.ts; a test compares.
create function legal_move(from_state text, to_state text) returns boolean language plpgsql immutable as $$
begin
  return from_state || '>' || to_state = any (array[
    'none>scheduled', 'none>queued', 'none>skipped', 'none>upstream_failed', 'none>failed', 'none>success', 'none>removed',
    'scheduled>queued', 'scheduled>skipped', 'scheduled>failed',
    'queued>running', 'queued>skipped', 'queued>failed', 'queued>deferred',
    'running>success', 'running>failed', 'running>skipped', 'running>up_for_retry', 'running>queued',
    'running>up_for_reschedule', 'up_for_reschedule>queued', 'up_for_reschedule>skipped', 'up_for_reschedule>failed',
    'deferred>success', 'deferred>failed', 'deferred>skipped',
    'up_for_retry>queued', 'up_for_retry>skipped',
    'success>none', 'failed>none', 'skipped>none', 'upstream_failed>none', 'removed>none']);
end
$$;

-- After the row and not before: a trigger before an update locks every row once more. The condition is small, because every
-- statement reads and prepares it anew.
create trigger task_instance_moves after update of state on task_instance for each row
  when (old.state <> new.state and not legal_move(old.state, new.state)) -- guard: legal-moves
  execute function refuse_move();

create trigger task_instance_births after insert on task_instance for each row
  when (new.state <> 'none')
  execute function refuse_move();

-- The state an undecided instance goes to, given its rule and how many upstream instances there are and ended how:
-- none (wait), queued, skipped or upstream_failed. The rules one_* are decided by the first upstream that satisfies them,
-- all others when every upstream has ended. Same as decide() of src/dag/trigger-rules.ts.
create function decide(rule text, total integer, success integer, failed integer, skipped integer, upstream_failed integer)
returns text language plpgsql immutable parallel safe as $$
begin
  return case
    when total = 0 or rule = 'always' then 'queued'
    when rule = 'one_success' and success > 0 then 'queued'
    when rule = 'one_failed' and failed + upstream_failed > 0 then 'queued'
    when rule = 'one_done' and success + failed > 0 then 'queued'
    when success + failed + skipped + upstream_failed < total then 'none'
    when rule = 'all_success' then
      case when failed + upstream_failed > 0 then 'upstream_failed' when skipped > 0 then 'skipped' else 'queued' end
    when rule = 'all_failed' then case when success + skipped > 0 then 'skipped' else 'queued' end
    when rule = 'all_done' then 'queued'
    when rule = 'all_done_min_one_success' then
      case when skipped > 0 then 'skipped' when success = 0 then 'upstream_failed' else 'queued' end
    when rule = 'all_skipped' then case when skipped = total then 'queued' else 'skipped' end
    when rule = 'one_success' then case when skipped = total then 'skipped' else 'upstream_failed' end
    when rule in ('one_failed', 'one_done') then 'skipped'
    when rule = 'none_failed' then case when failed + upstream_failed > 0 then 'upstream_failed' else 'queued' end
    when rule = 'none_failed_min_one_success' then
      case when failed + upstream_failed > 0 then 'upstream_failed' when skipped = total then 'skipped' else 'queued' end
    when rule = 'none_skipped' then case when skipped > 0 then 'skipped' else 'queued' end
  end;
end
$$;
