-- What there is to do, for those who look again and again.

-- What a look of a scheduler would find, in one short read: where a word is false, the step of that name has nothing to do. A word
-- may say too much, which costs that step's own look, and never too little. `sessions` are the workers of the host that have not ended.
create function look_due(p_host text) returns jsonb language plpgsql stable as $$
declare
  waits jsonb := due_waits();
begin
  return jsonb_build_object(
    'dueRuns', exists (select from dag where active and plan_pending and schedule ->> 'kind' not in ('datasets', 'messages'))
      or exists (select from dag where active and not paused and next_run_after <= now()),
    'datasetRuns', exists (select from dag d where d.active and not d.paused and d.schedule ->> 'kind' = 'datasets' and (d.plan_pending
      or exists (select from dataset_waiting w where w.dag_id = d.dag_id and (w.ready or d.schedule ->> 'consume' <> 'partition'))
      or exists (select from dataset_cursor c where c.dag_id = d.dag_id
        and exists (select from dataset_event e where e.dataset = c.dataset and e.id > c.event_id)))),
    'queuedRuns', exists (select from dag_run where state = 'queued' and run_after <= now()),
    'backfillRuns', exists (select from backfill where completed_at is null and not paused),
    'retries', exists (select from task_instance where state = 'up_for_retry' and wake_at <= now()),
    'timeouts', exists (select from task_attempt where state = 'running' and revoked is null and deadline_at < now()),
    'clocks', exists (select from dag_run where state = 'running' and timeout_at <= now() and cancel_requested_at is null)
      or exists (select from task_instance where state = 'queued' and queue_timeout is not null
        and (queued_at at time zone 'UTC') + queue_timeout <= (now() at time zone 'UTC'))
      or exists (select from task_instance where state in ('none', 'scheduled', 'queued') and start_by is not null and start_by <= now()),
    'deadlines', exists (select from deadline where fired_at is null and due_at <= now()),
    'lostWorkers', exists (select from worker where state in ('active', 'draining') and lease_expires_at < now())
      or exists (select from task_attempt a join worker w using (worker_id) where a.state = 'running' and w.state in ('ended', 'lost')),
    'services', exists (select from service),
    'waits', waits -> 'queued' = 'true' or waits -> 'pokes' = 'true' or waits -> 'waits' = 'true',
    'sessions', coalesce((select jsonb_agg(jsonb_build_object('workerId', worker_id, 'pid', pid, 'pidStartedAt', pid_started_at))
      from worker where host_id = p_host and state in ('active', 'draining')), '[]'),
    'nextInMs', least((waits ->> 'nextInMs')::float8, extract(epoch from least(
      (select min(next_run_after) from dag where active and not paused and next_run_after > now()),
      (select min(wake_at) from task_instance where state = 'up_for_retry' and wake_at > now()),
      (select min(due_at) from deadline where fired_at is null and due_at > now())) - now())::float8 * 1000));
end
$$;
