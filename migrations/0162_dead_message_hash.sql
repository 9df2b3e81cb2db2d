-- A value too large to be kept has no hash; the hash of nothing stood for it.
alter table dead_message alter column sha256 drop not null;
drop index dead_message_once;
create unique index dead_message_once on dead_message (dag_id, coalesce(task_id, ''), topic, partition, message_offset, sha256) nulls not distinct;
