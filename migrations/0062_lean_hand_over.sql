-- What every hand-over paid for and nothing needs.

-- A check is read from the catalog and prepared anew by every statement that writes. Which states there are is in the guards of the
-- moves, which let no other in (functions/states.sql).
alter table task_instance drop constraint task_instance_state_check;

-- Locks the worker's row once an attempt, beside its heartbeats. Workers are never deleted while attempts name them.
alter table task_attempt drop constraint if exists task_attempt_worker_id_fkey;
