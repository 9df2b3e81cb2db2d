-- What many processes on one database know of each other.

create table scheduler (
  scheduler_id uuid primary key,
  host_id text not null,
  pid integer not null,
  version text not null,
  started_at timestamptz not null default now(),
  -- When its last look at everything ended, and how long that took.
  looked_at timestamptz not null default now(),
  look_ms integer not null default 0
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);
comment on table scheduler is 'One row a scheduler process, written every few seconds; it removes its own when it stops.';

insert into setting (key, value) values
  -- This database, whatever it is called and wherever it is restored to.
  ('instance', to_jsonb(gen_random_uuid()::text)),
  -- Moves when the database is found to be a copy, or older than it was: no lease of before counts any more.
  ('epoch', '1'),
  -- Least contract that a process must know to go on; see docs/production.md.
  ('contract', '1');
