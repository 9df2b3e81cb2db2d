-- The guards of task_instance.state and the trigger rules. What is asked a row at a time is plpgsql: a function in SQL becomes part of
-- every statement that calls it, and is prepared with it at every call.

create function refuse_move(t task_instance, from_state text) returns void language plpgsql as $$
begin
  raise exception 'task instance % cannot go from % to %', t.id, from_state, t.state using errcode = 'QF001';
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

-- Moves that are legal and of which nothing follows beside the row: nearly all there are.
create function plain_move(from_state text, to_state text) returns boolean language plpgsql immutable as $$
begin
  return case to_state when 'queued' then from_state in ('none', 'scheduled') when 'running' then from_state = 'queued'
    when 'success' then from_state = 'running' else to_state = 'scheduled' and from_state = 'none' end;
end
$$;

-- What follows of a move beside the row: refusal, the end of a wait, news, deadlines.
create function after_move() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    if new.state <> 'none' then
      perform refuse_move(new, null);
    end if;
  elsif old.state <> new.state and not legal_move(old.state, new.state) then -- guard: legal-moves
    perform refuse_move(new, old.state);
  end if;
  if new.deadline is not null then
    perform track_deadline(new);
  end if;
  if tg_op = 'INSERT' then
    return null;
  end if;
  if old.state <> new.state and new.state in ('failed', 'up_for_retry') then
    perform tell_task(new);
  end if;
  if old.state in ('deferred', 'up_for_reschedule', 'queued') and new.state not in ('queued', 'running', 'deferred') then
    perform end_wait(new);
  end if;
  return null;
end
$$;

-- After the row and not before: a trigger before an update locks every row once more. One trigger with a small condition, because
-- every statement reads and prepares the conditions of all triggers anew.
create trigger task_instance_moves after update of state on task_instance for each row
  when (new.deadline is not null or old.state <> new.state and not plain_move(old.state, new.state))
  execute function after_move();

create trigger task_instance_births after insert on task_instance for each row
  when (new.state <> 'none' or new.deadline is not null)
  execute function after_move();

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
