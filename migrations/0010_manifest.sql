-- The truth about files delivered by outside feeds, and about reports delivered to others.

create sequence file_load_seq;

create table file_manifest (
  file_id bigint generated always as identity primary key,
  connection text not null,
  -- Full path on the server; with `connection` the name under which contents come and go.
  path text not null,
  -- 1 for the first content under this name.
  version integer not null,
  feed text not null,
  batch bigint,
  state text not null default 'seen' check (state in
    ('seen', 'stable', 'fetched', 'verified', 'loaded', 'duplicate', 'quarantined', 'superseded')),
  -- As listed by the server: what tells that a name has new content.
  bytes bigint not null,
  ftp_time timestamptz,
  -- As read.
  sha256 text,
  staged_path text,
  -- Order of arrival, given once at landing.
  load_seq bigint unique,
  -- The run (dag/run) that landed it and so has to load it.
  landed_by text,
  duplicate_of bigint references file_manifest,
  -- The newer version under the same name; this one becomes superseded when that one is loaded.
  replaced_by bigint references file_manifest,
  -- A duplicate whose original is replaced by this version takes over and is loaded with it.
  promoted_by bigint references file_manifest,
  rows_read bigint,
  rows_loaded bigint,
  rows_duplicate bigint,
  rows_conflict bigint,
  rows_quarantined bigint,
  -- Reason to rows.
  reasons jsonb not null default '{}',
  -- Why the whole file was refused.
  rejected text,
  seen_at timestamptz not null default now(),
  stable_at timestamptz,
  fetched_at timestamptz,
  verified_at timestamptz,
  finished_at timestamptz,
  unique (connection, path, version),
  constraint landed_is_known check (state in ('seen', 'stable') or sha256 is not null),
  constraint counts_balance check (state <> 'loaded' or rows_read = rows_loaded + rows_duplicate + rows_quarantined)
);

create index file_manifest_content on file_manifest (feed, sha256) where replaced_by is null;
create index file_manifest_landed on file_manifest (landed_by) where landed_by is not null;
create index file_manifest_batch on file_manifest (batch);
create index file_manifest_originals on file_manifest (duplicate_of) where duplicate_of is not null;
create index file_manifest_replaced on file_manifest (replaced_by) where replaced_by is not null;
create index file_manifest_promoted on file_manifest (promoted_by) where promoted_by is not null;

-- One row a file of a report: what was published, and from which change of its source.
create table report_ledger (
  report text not null,
  partition text not null,
  file_name text not null,
  sha256 text not null,
  rows bigint not null,
  -- The source's changed-by value that this file covers.
  changed numeric not null,
  -- The attempt that wrote it last.
  token text not null,
  written_at timestamptz not null default now(),
  primary key (report, partition)
);
