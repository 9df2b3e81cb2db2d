-- Connections and variables. What is secret is sealed (AES-256-GCM) under a key that the database never sees; the plain columns
-- of a row are bound to its sealed part, so that a row whose address was changed behind qflow's back does not open.

create table connection (
  connection_id text primary key check (connection_id ~ '^[A-Za-z0-9_.-]{1,200}$'),
  kind text not null,
  host text not null default '',
  port integer not null default 0 check (port between 0 and 65535),
  login text not null default '',
  path text not null default '',
  description text,
  -- Password and options.
  sealed bytea not null,
  -- Which key sealed it.
  key_id text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table variable (
  key text primary key check (length(key) between 1 and 250),
  description text,
  -- Whether its value is hidden in logs and answers.
  secret boolean not null,
  sealed bytea not null,
  key_id text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- Counts changes of connections and variables, so that a worker knows from the answer to a claim whether what it holds is old.
insert into setting (key, value) values ('secrets', '0');
