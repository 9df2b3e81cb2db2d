-- Catalog and lineage. Datasets and jobs are nodes of one graph and share one sequence of ids, so that an edge is two numbers.
-- Facts (lineage_event, lineage_run, lineage_io) carry no foreign keys: they come in any order and outlive what they name.

create sequence catalog_node_seq;

create table catalog_dataset (
  dataset_id      bigint primary key default nextval('catalog_node_seq'),
  name            text not null unique,
  layer           text not null check (layer in ('source', 'staging', 'standardized', 'conformed', 'enriched', 'report', 'other')),
  kind            text not null check (kind in ('table', 'files', 'topic', 'other')),
  description     text,
  owner           text,
  tags            text[] not null default '{}',
  -- What the last complete look at the table found; null = never looked, or unknown.
  row_count       bigint,
  byte_count      bigint,
  partition_count bigint,
  synced_at       timestamptz,
  created_at      timestamptz not null default now()
);
create index catalog_dataset_layer on catalog_dataset (layer, name);

-- Other names of the same data: storage paths, hive:// URIs.
create table catalog_alias (
  alias      text primary key,
  dataset_id bigint not null references catalog_dataset on delete cascade
);
create index catalog_alias_dataset on catalog_alias (dataset_id);

-- One row for each distinct set of columns ever seen, written only when it is new or seen later than before.
-- The current one is the best source's newest: hive (looked up in the metastore) before output before input (what a job saw).
create table catalog_schema (
  dataset_id    bigint not null references catalog_dataset on delete cascade,
  digest        text not null,
  source        text not null check (source in ('hive', 'output', 'input')),
  columns       jsonb not null,
  first_seen_at timestamptz not null,
  last_seen_at  timestamptz not null,
  primary key (dataset_id, digest, source)
);

-- What a person or a rule says about a column, apart from its schema; `person` outranks `rule`.
create table catalog_column_note (
  dataset_id     bigint not null references catalog_dataset on delete cascade,
  column_name    text not null,
  classification text,
  description    text,
  noted_by       text not null check (noted_by in ('rule', 'person')),
  primary key (dataset_id, column_name)
);

create table catalog_partition (
  dataset_id bigint not null references catalog_dataset on delete cascade,
  spec       text not null,
  row_count  bigint,
  updated_at timestamptz,
  primary key (dataset_id, spec)
);

create table catalog_job (
  job_id    bigint primary key default nextval('catalog_node_seq'),
  namespace text not null,
  name      text not null,
  -- Set for tasks of qflow.
  dag_id    text,
  task_id   text,
  unique (namespace, name)
);
create unique index catalog_job_task on catalog_job (dag_id, task_id) where dag_id is not null;

-- source → target: dataset → job (reads), job → dataset (writes). Recursion goes over these two numbers only.
create table catalog_edge (
  source      bigint not null,
  target      bigint not null,
  -- In the newest version of the DAG that owns the job.
  declared    boolean not null default false,
  -- Newest run that was seen doing it; null = declared only.
  observed_at timestamptz,
  primary key (source, target)
);
create index catalog_edge_target on catalog_edge (target, source);

create table catalog_column_edge (
  source_dataset  bigint not null,
  source_column   text not null,
  target_dataset  bigint not null,
  -- '*' = every column, e.g. a filter's column.
  target_column   text not null,
  transformations text[] not null,
  observed_at     timestamptz not null,
  primary key (target_dataset, target_column, source_dataset, source_column)
);
create index catalog_column_edge_source on catalog_column_edge (source_dataset, source_column);

-- Which version of each DAG the declared edges come from.
create table catalog_declared (
  dag_id  text primary key,
  version text not null
);

-- OpenLineage events as they came. Stored first, processed after; a repeated event is one row.
create table lineage_event (
  event_id     bigint generated always as identity primary key,
  digest       bytea not null unique,
  body         jsonb not null,
  received_at  timestamptz not null default now(),
  processed_at timestamptz,
  -- Why nothing could be made of it.
  error        text
);
create index lineage_event_pending on lineage_event (event_id) where processed_at is null;
create index lineage_event_received on lineage_event (received_at);

-- One OpenLineage run: a Spark application, one of its statements, or an attempt that reported by itself.
create table lineage_run (
  run_id     uuid primary key,
  -- Node that owns it in the graph: the task for everything Spark does inside it.
  job_id     bigint not null,
  name       text not null,
  attempt_id uuid,
  state      text not null check (state in ('START', 'RUNNING', 'OTHER', 'ABORT', 'FAIL', 'COMPLETE')),
  started_at timestamptz,
  ended_at   timestamptz,
  event_at   timestamptz not null
);
create index lineage_run_attempt on lineage_run (attempt_id);
create index lineage_run_job on lineage_run (job_id, event_at desc);

-- What a run read and wrote. Accumulates over the run's events.
create table lineage_io (
  run_id     uuid not null,
  dataset_id bigint not null,
  direction  text not null check (direction in ('in', 'out')),
  row_count  bigint,
  byte_count bigint,
  partitions text[],
  at         timestamptz not null,
  primary key (run_id, dataset_id, direction)
);
create index lineage_io_dataset on lineage_io (dataset_id, direction, at desc);
