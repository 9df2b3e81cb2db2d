-- Messages of topics: DAGs that they start, tasks that consume them, and what could not be used.

alter table dag_run drop constraint dag_run_kind_check;
alter table dag_run add constraint dag_run_kind_check check (kind in ('scheduled', 'manual', 'dataset', 'backfill', 'message'));

create table message_source (
  dag_id text primary key references dag on delete cascade,
  connection text not null,
  topic text not null,
  -- The topic's id at the broker: one that is removed and made again has another. Null until it was seen first.
  topic_id text,
  -- How often the topic was found shorter than it had been: offsets mean other messages since.
  epoch integer not null default 0,
  lease uuid,
  leased_until timestamptz not null default '-infinity',
  -- What is wrong at present, or null.
  problem text,
  looked_at timestamptz
);
comment on table message_source is 'The topic whose messages start a DAG. Who holds the lease reads it for all schedulers.';

create table message_cursor (
  dag_id text not null references message_source on delete cascade,
  partition integer not null,
  next_offset bigint not null,
  -- End of the partition when it was looked at last, and how many messages the broker had removed before they were read.
  end_offset bigint not null,
  missed bigint not null default 0,
  primary key (dag_id, partition)
) with (fillfactor = 50);

create table message_inbox (
  id bigint generated always as identity primary key,
  dag_id text not null references dag on delete cascade,
  -- A second message with the same one starts nothing.
  dedupe_key text not null,
  topic text not null,
  partition integer not null,
  message_offset bigint not null,
  sent_at timestamptz not null,
  key bytea,
  -- Null for a message without a value, for one that is too large to be handed on, and once a run has it.
  value bytea,
  bytes integer not null,
  received_at timestamptz not null default now(),
  tries integer not null default 0,
  taken_at timestamptz,
  unique (dag_id, dedupe_key)
);
comment on table message_inbox is 'Messages read from topics, until a run takes them, and after that the memory of what was taken. Bounded: the rest waits in the topic.';
create index message_inbox_waiting on message_inbox (dag_id, id) where taken_at is null;
create index message_inbox_taken on message_inbox (taken_at) where taken_at is not null;

create table dead_message (
  id bigint generated always as identity primary key,
  -- The DAG, and the task where a task consumed it.
  dag_id text not null,
  task_id text,
  topic text not null,
  partition integer not null,
  message_offset bigint not null,
  sent_at timestamptz not null,
  key bytea,
  value bytea,
  bytes integer not null,
  sha256 bytea not null,
  reason text not null,
  at timestamptz not null default now()
);
comment on table dead_message is 'Messages that could not be used, with the reason. Append-only.';
create index dead_message_of on dead_message (dag_id, id);
create unique index dead_message_once on dead_message (dag_id, coalesce(task_id, ''), topic, partition, message_offset, sha256);

create table consumer_offset (
  -- dag.task unless the task names one.
  consumer text not null,
  topic text not null,
  partition integer not null,
  topic_id text not null,
  next_offset bigint not null,
  end_offset bigint not null,
  primary key (consumer, topic, partition)
) with (fillfactor = 50);
comment on table consumer_offset is 'How far tasks have consumed topics; moves in the transaction that records what was consumed.';

create table consumption (
  task_instance_id bigint primary key references task_instance on delete cascade,
  consumer text not null,
  topic text not null,
  -- What the task returns, whichever attempt is asked: file, ranges of offsets, counts.
  result jsonb not null,
  at timestamptz not null default now()
);
comment on table consumption is 'What a task instance consumed: once, whatever becomes of its attempts.';
