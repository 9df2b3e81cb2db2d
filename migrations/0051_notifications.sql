-- Who is told of what, and the outbox of what is to be sent. Rows are written in the transaction of what they tell.

create table notify_rule (
  version_id bigint not null references dag_version on delete cascade,
  event text not null check (event in ('runFailed', 'runSucceeded', 'taskFailed', 'taskRetry', 'deadlineMissed', 'importError')),
  -- Id of the connection that says where to and how.
  channel text not null,
  primary key (version_id, event, channel)
);
comment on table notify_rule is 'The option `notify` of a DAG version: one row an event and channel.';

create table notification (
  id bigint generated always as identity primary key,
  -- What makes it one: event, subject, channel. A second one of the same key is not written.
  key text not null unique,
  event text not null,
  channel text not null,
  dag_id text not null,
  payload jsonb not null,
  -- `dead` = given up.
  state text not null default 'pending' check (state in ('pending', 'sent', 'dead')),
  attempts integer not null default 0,
  -- When it may be sent; while somebody sends it: when that lease ends.
  next_at timestamptz not null default now(),
  lease uuid,
  -- What the last attempt said.
  error text,
  created_at timestamptz not null default now(),
  ended_at timestamptz
) with (fillfactor = 70);
create index notification_due on notification (next_at) where state = 'pending';
create index notification_state on notification (state, id desc);
create index notification_ended on notification (ended_at) where state = 'sent';
