-- Dead messages can be given another try: by what a run knows them, and when that was.
alter table dead_message add column dedupe_key text;
comment on column dead_message.dedupe_key is 'Of its message in the inbox; null where it never got one.';
alter table dead_message add column replayed_at timestamptz;
comment on column dead_message.replayed_at is 'When it was given another try; null = it is open. One that fails again is open again.';
comment on table dead_message is 'Messages that could not be used, with the reason.';
create index dead_message_open on dead_message (dag_id, id) where replayed_at is null;
