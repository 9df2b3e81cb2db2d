-- Services: programs that are to run always. What is wanted is a row, what runs is a row, and both are compared again and again.

create table service (
  service_id text primary key,
  -- Of the DAG file that declares it.
  file text not null,
  -- Whether a file declares it.
  active boolean not null default true,
  paused boolean not null default true,
  version_id bigint,
  queue text not null,
  owner text,
  doc text,
  tags text[] not null default '{}',
  -- Of what the program is: another one means that what runs is to be replaced.
  program_hash text not null,
  -- Counts the times somebody asked for a restart; an attempt knows the count it started with.
  restarts_wanted integer not null default 0,
  -- Number of the newest attempt: the fencing token that programs get.
  attempt_number integer not null default 0,
  -- The attempt that lives; null = none.
  attempt_id uuid,
  -- Failures on end, and not before when the next attempt may start.
  failures integer not null default 0,
  restart_at timestamptz,
  -- What a lost worker started may live until then, but for on this host, where it can be looked for and ended.
  fenced_until timestamptz,
  fenced_host text,
  -- Since when the lag is above what is allowed.
  lagging_since timestamptz,
  -- Of which of its troubles somebody was told.
  told_failing boolean not null default false,
  told_lagging boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
) with (fillfactor = 70);
comment on table service is 'One row a service: what is wanted of it, and what keeps it from running.';
create index service_waiting on service (queue) where active and not paused and attempt_id is null;
create index service_lagging on service (lagging_since) where lagging_since is not null and not told_lagging;

create table service_version (
  id bigint generated always as identity primary key,
  service_id text not null references service on delete cascade,
  number integer not null,
  spec jsonb not null,
  spec_hash text not null,
  bundle_hash text not null references bundle,
  created_at timestamptz not null default now(),
  unique (service_id, number),
  unique (service_id, spec_hash)
);
comment on table service_version is 'Every spec that a service ever had, immutable.';
create index service_version_bundle on service_version (bundle_hash);
alter table service add foreign key (version_id) references service_version;

create table service_attempt (
  attempt_id uuid primary key default uuidv7(),
  service_id text not null references service on delete cascade,
  -- The fencing token: 1, 2, 3 … of a service.
  number integer not null,
  token uuid not null default gen_random_uuid(),
  version_id bigint not null references service_version,
  program_hash text not null,
  restarts_wanted integer not null,
  worker_id uuid not null,
  host_id text not null,
  -- `stopped` = it ended because it was to, `failed` = by itself or unhealthy, `lost` = its worker is gone.
  state text not null default 'starting' check (state in ('starting', 'running', 'draining', 'stopped', 'failed', 'lost')),
  -- Why it is, or was, to end.
  reason text,
  pid integer,
  started_at timestamptz not null default now(),
  ready_at timestamptz,
  -- Its last sign of life.
  seen_at timestamptz,
  ended_at timestamptz,
  error jsonb,
  -- Number of the last report that was taken.
  report integer not null default 0,
  batches bigint not null default 0,
  rows_total bigint not null default 0,
  -- The last batch.
  progress jsonb,
  progress_at timestamptz,
  unique (service_id, number)
) with (fillfactor = 50);
comment on table service_attempt is 'One row a start of the program of a service, under the session of the worker that started it.';
-- The last guard of what a service is: never two at once.
create unique index service_attempt_live on service_attempt (service_id) where state in ('starting', 'running', 'draining');
create index service_attempt_worker on service_attempt (worker_id) where state in ('starting', 'running', 'draining');
create index service_attempt_ended on service_attempt (ended_at) where ended_at is not null;

create table service_progress (
  service_id text not null references service on delete cascade,
  at timestamptz not null default clock_timestamp(),
  attempt_number integer not null,
  batch bigint not null,
  rows bigint not null,
  batch_ms double precision,
  input_rate double precision,
  processed_rate double precision,
  lag bigint,
  event_time timestamptz,
  primary key (service_id, at, batch)
);
comment on table service_progress is 'One row a batch that a service did; kept for two weeks.';
create index service_progress_at on service_progress using brin (at) with (pages_per_range = 16, autosummarize = on);

create table service_event (
  service_id text not null references service on delete cascade,
  dataset text not null,
  -- Empty = the dataset has no parts.
  partition text not null,
  attempt_id uuid not null,
  -- No other event of it before then; what comes meanwhile is counted.
  due_at timestamptz not null,
  announcements bigint not null default 0,
  rows bigint not null default 0,
  primary key (service_id, dataset, partition)
) with (fillfactor = 50);
comment on table service_event is 'Datasets of which a service announced an event a short time ago, with what came since.';
create index service_event_due on service_event (due_at);

create table service_log (
  attempt_id uuid not null references service_attempt on delete cascade,
  -- 1-based number of the first line in it.
  first_line integer not null,
  line_count integer not null,
  bytes integer not null,
  codec text not null check (codec in ('plain', 'zstd')),
  data bytea not null,
  at timestamptz not null default now(),
  primary key (attempt_id, first_line)
);
comment on table service_log is 'Numbered log lines of an attempt of a service, as in log_chunk; kept for two weeks.';
create index service_log_at on service_log using brin (at) with (pages_per_range = 16, autosummarize = on);

-- A notification is about a DAG or about a service.
alter table notification alter column dag_id drop not null;
alter table notification add column service_id text;
