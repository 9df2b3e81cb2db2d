-- Who may do what. Secrets are stored as SHA-256 of 256 random bits: nothing here opens a door.

create table access_user (
  name       text primary key check (name ~ '^[A-Za-z0-9._@-]{1,100}$'),
  role       text not null check (role in ('viewer', 'user', 'admin')),
  created_at timestamptz not null default now()
);

create table access_login_link (
  secret_hash bytea primary key,
  user_name   text not null references access_user on delete cascade,
  expires_at  timestamptz not null,
  used_at     timestamptz
);

create table access_session (
  secret_hash bytea primary key,
  user_name   text not null references access_user on delete cascade,
  created_at  timestamptz not null default now(),
  expires_at  timestamptz not null
);

create table access_token (
  token_id     bigint generated always as identity primary key,
  secret_hash  bytea not null unique,
  name         text not null,
  user_name    text not null references access_user on delete cascade,
  created_at   timestamptz not null default now(),
  expires_at   timestamptz,
  revoked_at   timestamptz
);

-- One row a mutating call, written in the transaction of the change itself.
create table audit_log (
  audit_id bigint generated always as identity primary key,
  at       timestamptz not null default now(),
  actor    text not null,
  action   text not null,
  dag_id   text,
  run_id   text,
  task_id  text,
  details  jsonb
);
create index audit_log_at on audit_log (at desc);
